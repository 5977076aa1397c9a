/* A block that is given back and asked for again: what may come between, and what is counted. */
#include <pthread.h>

#include "engine_test.h"

#define SIZE 100u

/* A block on a slab of its account's own, with some others there. */
static void *block_of(uint32_t number) {
    void *block = NULL;
    for (int i = 0; i < 5000 || STATE_LOAD(&fast_slab(block)->kind) != SLAB_OWN; i++)
        assert_non_null(block = pool_alloc(test_key(number), SIZE));
    return block;
}

static void the_same_block_comes_back(void **state) {
    (void)state;
    void *block = block_of(0);
    struct slab *slab = fast_slab(block);
    uint64_t allocs = STATE_LOAD(&slab->allocs), frees = FREED_COUNT(STATE_LOAD(&slab->freed));
    for (uint64_t i = 1; i <= 1000; i++) {
        struct backend_place place;
        uint64_t live = test_live_blocks();
        assert_true(engine_free_noted(block, &place));
        assert_int_equal(test_live_blocks(), live - 1);
        pool_walk();
        assert_true(engine_alloc_again(&place));
        assert_ptr_equal(place.memory, block);
        assert_int_equal(test_live_blocks(), live);
        assert_int_equal(STATE_LOAD(&slab->allocs), allocs + i);
        assert_int_equal(FREED_COUNT(STATE_LOAD(&slab->freed)), frees + i);
        pool_walk();
        assert_false(engine_alloc_again(&place)); /* once */
    }
    pool_free(block);
}

/* Of a slab without any other free block, which is in no bin: every block of it is handed out once all the same. */
static void a_full_slab_stays_full(void **state) {
    (void)state;
    enum { BLOCKS = 3000 };
    static void *blocks[BLOCKS];
    struct backend_place place;
    for (int i = 0; i < BLOCKS; i++)
        assert_non_null(blocks[i] = pool_alloc(test_key(2), SIZE));
    for (int round = 0; round < 200; round++)
        for (int i = 0; i < BLOCKS; i += 97) {
            if (!engine_free_noted(blocks[i], &place))
                continue; /* of a slab that is not its account's own */
            assert_true(engine_alloc_again(&place));
        }
    pool_walk();
    for (int i = 0; i < BLOCKS; i++)
        memset(blocks[i], i, SIZE);
    for (int i = 0; i < BLOCKS; i++) {
        for (unsigned k = 0; k < SIZE; k++)
            assert_int_equal(((unsigned char *)blocks[i])[k], (unsigned char)i);
        pool_free(blocks[i]);
    }
    pool_walk();
}

/* Whoever asked first has it; and once another block of its slab was given back, the list is no longer what it was. */
static void not_when_another_call_came_between(void **state) {
    (void)state;
    struct backend_place place, later;
    void *block = block_of(4), *near = NULL, *taken = NULL;
    while (near == NULL || fast_slab(near) != fast_slab(block))
        assert_non_null(near = pool_alloc(test_key(4), SIZE));
    assert_true(engine_free_noted(block, &place));
    assert_true(engine_free_noted(near, &later));
    assert_false(engine_alloc_again(&place));
    assert_true(engine_alloc_again(&later));
    assert_true(engine_alloc_again(&place));
    assert_true(engine_free_noted(block, &place));
    while (taken != block)
        assert_non_null(taken = pool_alloc(test_key(4), SIZE));
    assert_false(engine_alloc_again(&place));
    pool_walk();
}

static void not_when_its_link_was_overwritten(void **state) {
    (void)state;
    struct backend_place place;
    void *block = block_of(6);
    assert_true(engine_free_noted(block, &place));
    void *link = *(void **)block;
    *(void **)block = (char *)link + 16;
    assert_false(engine_alloc_again(&place));
    *(void **)block = link;
    pool_walk();
    assert_true(engine_alloc_again(&place));
    pool_free(block);
}

static void not_at_a_raised_irql(void **state) {
    (void)state;
    struct backend_place place, none;
    void *block = block_of(8);
    assert_true(engine_free_noted(block, &place));
    engine_fast_paths(false);
    assert_false(engine_alloc_again(&place));
    void *raised = pool_alloc(test_key(8), SIZE);
    assert_false(engine_free_noted(raised, &none));
    engine_fast_paths(true);
    pool_free(raised);
    pool_walk();
}

static void *try_again(void *argument) {
    struct backend_place *place = argument, none;
    void *own = pool_alloc(test_key(10), SIZE);
    assert_non_null(own);
    assert_false(engine_alloc_again(place));
    assert_false(engine_free_noted(place->memory, &none));
    pool_free(own);
    return NULL;
}

static void not_by_another_thread(void **state) {
    (void)state;
    struct backend_place place;
    pthread_t thread;
    void *block = block_of(10);
    assert_true(engine_free_noted(block, &place));
    assert_int_equal(pthread_create(&thread, NULL, try_again, &place), 0);
    pthread_join(thread, NULL);
    assert_true(engine_alloc_again(&place));
    pool_free(block);
    pool_walk();
}

/* The slab went out of service and came back for another account: the address alone says nothing. */
static void not_when_the_slab_serves_another_account(void **state) {
    (void)state;
    enum { BLOCKS = 20000 };
    static void *blocks[BLOCKS];
    struct backend_place place;
    block_of(14);
    for (int i = 0; i < BLOCKS; i++)
        assert_non_null(blocks[i] = pool_alloc(test_key(12), SIZE));
    for (int i = 0; i < BLOCKS - 1; i++)
        pool_free(blocks[i]);
    assert_true(engine_free_noted(blocks[BLOCKS - 1], &place));
    engine_trim();
    struct slab *slab = place.slab;
    uint16_t account = 0;
    for (int i = 0; account == 0 && i < 10 * BLOCKS; i++) {
        const void *block = pool_alloc(test_key(14), SIZE);
        account = fast_slab(block) == slab ? STATE_LOAD(&slab->account) : 0;
    }
    assert_int_not_equal(account, 0);
    uint64_t allocs = STATE_LOAD(&slab->allocs);
    assert_false(engine_alloc_again(&place));
    /* Even where the list is as it was. */
    slab->free = place.memory;
    ((struct free_block *)place.memory)->next = (struct free_block *)(uintptr_t)place.next;
    assert_false(engine_alloc_again(&place));
    assert_int_equal(STATE_LOAD(&slab->allocs), allocs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_block_comes_back),
        cmocka_unit_test(a_full_slab_stays_full),
        cmocka_unit_test(not_when_another_call_came_between),
        cmocka_unit_test(not_when_its_link_was_overwritten),
        cmocka_unit_test(not_at_a_raised_irql),
        cmocka_unit_test(not_by_another_thread),
        cmocka_unit_test(not_when_the_slab_serves_another_account),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
