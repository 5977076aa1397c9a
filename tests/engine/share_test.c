/* Bins whose slabs hold few blocks: one list for all of them, and figures that stay exact whoever counts. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine_test.h"

#define BLOCKS 400u
#define STEPS 6000u
#define TAG 30u

static struct block {
    void *at;
    size_t size;
} block[BLOCKS];
static uint64_t allocs, frees, bytes;

static void take(struct block *b, uint64_t r) {
    size_t size = 1400 + r % 31000;

    b->at = pool_alloc_by_all_paths(test_key(TAG), size);
    assert_non_null(b->at);
    b->size = engine_size(b->at);
    assert_true(b->size >= size);
    memset(b->at, (int)(uintptr_t)b, size);
    allocs++;
    bytes += b->size;
}

static void give(struct block *b) {
    assert_int_equal(*(unsigned char *)b->at, (unsigned char)(uintptr_t)b);
    frees++;
    bytes -= b->size;
    assert_int_equal(pool_free_by_all_paths(b->at, test_tag(TAG)), ENGINE_OK);
    b->at = NULL;
}

static void step(uint64_t *seed) {
    uint64_t r = test_random(seed);
    struct block *b = &block[r % BLOCKS];

    if (b->at != NULL)
        give(b);
    else
        take(b, r >> 20);
}

static void give_all(void) {
    for (unsigned i = 0; i < BLOCKS; i++)
        if (block[i].at != NULL)
            give(&block[i]);
}

static void check_figures(void) {
    struct rxpool_stats_row row = test_row(test_tag(TAG));

    pool_walk();
    assert_int_equal(row.allocs, allocs);
    assert_int_equal(row.frees, frees);
    assert_int_equal(row.bytes, bytes);
}

struct visit {
    unsigned blocks;
    bool unknown;
};

static void see(void *argument, uintptr_t at, size_t size) {
    struct visit *v = argument;

    v->blocks++;
    for (unsigned i = 0; i < BLOCKS; i++)
        if ((uintptr_t)block[i].at == at && block[i].size == size)
            return;
    v->unknown = true;
}

static unsigned live(void) {
    unsigned n = 0;
    for (unsigned i = 0; i < BLOCKS; i++)
        n += block[i].at != NULL;
    return n;
}

static void check_each_live(void) {
    struct visit v = {0, false};

    engine_each_live(see, &v);
    assert_false(v.unknown);
    assert_int_equal(v.blocks, live());
}

/* Sweeps end all sharing, and it begins again: no step of it shows in any figure. */
static void figures_are_exact_while_slabs_share(void **state) {
    uint64_t seed = 7;

    (void)state;
    for (unsigned i = 0; i < STEPS; i++) {
        step(&seed);
        if (i % 500 == 499) {
            check_figures();
            check_each_live();
        }
        if (i % 2000 == 1999) {
            engine_trim();
            check_figures();
            check_each_live();
        }
    }
    give_all();
    check_figures();
    engine_trim();
    check_figures();
}

/* What was freed last is what comes next, whichever slab it is of; the memory of all goes back when nobody is left. */
static void the_block_freed_last_comes_next(void **state) {
    static void *at[60];
    struct engine_totals before, after;

    (void)state;
    engine_trim();
    engine_totals(&before);
    for (unsigned i = 0; i < 60; i++)
        at[i] = pool_alloc_by_all_paths(test_key(TAG), 30000); /* two a slab */
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pool_free_by_all_paths(at[i * 17 % 60], 0), ENGINE_OK);
    for (unsigned i = 4; i-- > 0;)
        assert_ptr_equal(pool_alloc_by_all_paths(test_key(TAG), 30000), at[i * 17 % 60]);
    for (unsigned i = 0; i < 60; i++)
        assert_int_equal(pool_free_by_all_paths(at[i], 0), ENGINE_OK);
    allocs += 64;
    frees += 64;
    engine_trim();
    engine_totals(&after);
    assert_int_equal(after.mapped_bytes, before.mapped_bytes);
    check_figures();
}

/* --- other threads ---------------------------------------------------------------------------------------- */

static void run_thread(void *(*routine)(void *), void *argument) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, routine, argument), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void *many_steps(void *seed) {
    for (unsigned i = 0; i < STEPS; i++)
        step(seed);
    return NULL;
}

static void *give_half(void *argument) {
    (void)argument;
    for (unsigned i = 0; i < BLOCKS; i += 2)
        if (block[i].at != NULL)
            give(&block[i]);
    return NULL;
}

/* A thread leaves blocks of slabs that shared: others' frees empty each slab by itself, and the next thread goes on. */
static void sharing_ends_with_its_thread(void **state) {
    uint64_t seed = 19;
    struct engine_totals before, after;

    (void)state;
    engine_trim();
    engine_totals(&before);
    for (unsigned round = 0; round < 4; round++) {
        run_thread(many_steps, &seed);
        check_figures();
        check_each_live();
        give_half(NULL);
        check_figures();
        run_thread(give_half, NULL);
    }
    give_all();
    check_figures();
    engine_totals(&after);
    assert_true(after.mapped_bytes <= before.mapped_bytes + 64 * SLAB_SIZE);
}

static void others_frees_come_back(void **state) {
    uint64_t seed = 23;

    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        many_steps(&seed);
        run_thread(give_half, NULL);
        check_figures();
    }
    give_all();
    check_figures();
}

static void a_child_goes_on_sharing(void **state) {
    uint64_t seed = 29;
    int status = 0;

    (void)state;
    many_steps(&seed);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        many_steps(&seed);
        give_all();
        engine_trim();
        _exit(engine_walk() == NULL && test_live_blocks() == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    give_all();
    check_figures();
}

/* --- a list that was overwritten --------------------------------------------------------------------------- */

/* Whatever a late write has put into a free block, the list ends before it, and the pool's figures stay what they are. */
static void a_broken_list_ends(void **state) {
    static void *at[40];

    (void)state;
    for (unsigned i = 0; i < 40; i++)
        at[i] = pool_alloc_by_all_paths(test_key(TAG), 30000);
    for (unsigned i = 0; i < 3; i++)
        pool_free(at[i * 7]);
    void *last = at[14];
    *(void **)last = (char *)at[7] + 16; /* no block starts there */
    assert_ptr_equal(pool_alloc_by_all_paths(test_key(TAG), 30000), last);
    assert_false(engine_list_goes_on(last));
    allocs += 41;
    frees += 3;
    at[0] = pool_alloc_by_all_paths(test_key(TAG), 30000);
    at[7] = pool_alloc_by_all_paths(test_key(TAG), 30000);
    allocs += 2;
    for (unsigned i = 0; i < 40; i++)
        pool_free(at[i]);
    frees += 40;
    struct rxpool_stats_row row = test_row(test_tag(TAG));
    assert_int_equal(row.allocs, allocs);
    assert_int_equal(row.frees, frees);
    assert_int_equal(row.bytes, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_exact_while_slabs_share),
        cmocka_unit_test(the_block_freed_last_comes_next),
        cmocka_unit_test(others_frees_come_back),
        cmocka_unit_test(sharing_ends_with_its_thread),
        cmocka_unit_test(a_child_goes_on_sharing),
        cmocka_unit_test(a_broken_list_ends), /* last: some free blocks are nobody's from then on */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
