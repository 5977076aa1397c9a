/* Which accounts have slabs of their own and which share mixed ones, and how blocks on those are counted. */
#include "engine_test.h"
#include "ex/account.h"

#define LIVE 1000u
#define CALLS 40000u

static bool on_own_slab(const void *block) {
    return fast_slab(block)->kind == SLAB_OWN;
}

/* CALLS blocks of `tags` tags drawn evenly, from number `first` on, LIVE at a time; how many of the last half were on own slabs. */
static unsigned churn(uint32_t first, uint32_t tags) {
    static void *live[LIVE];
    uint64_t seed = first + 1;
    unsigned own = 0;

    for (unsigned i = 0; i < CALLS; i++) {
        void **place = &live[test_random(&seed) % LIVE];
        if (*place != NULL)
            assert_int_equal(pool_free_by_all_paths(*place, 0), ENGINE_OK);
        uint32_t tag = first + (uint32_t)(test_random(&seed) % tags);
        *place = pool_alloc_by_all_paths(test_key(tag), 16 + test_random(&seed) % 500);
        assert_non_null(*place);
        own += i >= CALLS / 2 && on_own_slab(*place);
    }
    for (unsigned i = 0; i < LIVE; i++) {
        if (live[i] != NULL)
            assert_int_equal(pool_free_by_all_paths(live[i], 0), ENGINE_OK);
        live[i] = NULL;
    }
    pool_walk();
    return own;
}

/* All or nothing: where calls go to either by chance, the processor can foresee neither. */
static void few_tags_have_slabs_and_many_share(void **state) {
    (void)state;
    assert_in_range(churn(0, 1), CALLS / 2 * 99 / 100, CALLS / 2);
    assert_in_range(churn(1000, 10), CALLS / 2 * 98 / 100, CALLS / 2);
    assert_in_range(churn(2000, 40), 0, CALLS / 2 / 50);
    assert_in_range(churn(3000, 1000), 0, CALLS / 2 / 50);
    assert_in_range(churn(4000, 1), CALLS / 2 * 98 / 100, CALLS / 2);
    assert_int_equal(test_live_blocks(), 0);
}

/* As if the account had done almost as much as one flow holds. */
static void a_full_flow_is_carried(void **state) {
    const uint64_t done = FLOW_MOST - 30;
    struct engine_totals before, after;
    void *block[64];
    (void)state;
    churn(5000, 60); /* so that one tag among many stays on mixed slabs */
    for (unsigned i = 0; i < 64; i++)
        block[i] = pool_alloc_by_all_paths(test_key(5000), 64);
    struct heap *heap = heap_mine();
    uint32_t account = account_of(test_key(5000));
    uint64_t carries = heap->public.carries;
    struct rxpool_stats_row first = test_row(test_tag(5000));
    assert_false(on_own_slab(block[0]));
    flow_carry(heap, account);
    assert_int_equal(heap->public.carries, carries + 1);
    heap->flows[account].in += done * FLOW_OF(64);
    heap->flows[account].out += done * FLOW_OUT(FLOW_OF(64));

    engine_totals(&before);
    for (unsigned round = 0; round < 4; round++)
        for (unsigned i = round; i < 64; i += 2) {
            assert_int_equal(pool_free_by_all_paths(block[i], 0), ENGINE_OK);
            block[i] = pool_alloc_by_all_paths(test_key(5000), 64);
        }
    struct rxpool_stats_row last = test_row(test_tag(5000));
    engine_totals(&after);
    assert_in_range(heap->public.carries, carries + 2, carries + 3);
    assert_int_equal(last.allocs, first.allocs + done + 126);
    assert_int_equal(last.frees, first.frees + done + 126);
    assert_int_equal(last.diff, first.diff);
    assert_int_equal(last.bytes, first.bytes);
    assert_int_equal(after.live_blocks, before.live_blocks);
    assert_int_equal(after.live_bytes, before.live_bytes);
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(pool_free_by_all_paths(block[i], 0), ENGINE_OK);
    assert_int_equal(test_row(test_tag(5000)).bytes, 0);
    pool_walk();
}

#define SOME 300u

/* Takes blocks of one tag among many and frees every other one: the quick path frees what then lives, and nothing else. */
static void only_live_blocks_are_freed_quickly(size_t size) {
    static bool live[SLAB_SIZE / 8];
    void *block[SOME];
    struct slab *slab = NULL;

    for (unsigned i = 0; i < SOME; i++) {
        block[i] = pool_alloc_by_all_paths(test_key(6000 + i % 100), size);
        assert_false(on_own_slab(block[i]));
    }
    slab = fast_slab(block[SOME / 2]);
    for (unsigned i = 0; i < SOME; i += 2)
        assert_int_equal(pool_free_by_all_paths(block[i], 0), ENGINE_OK);
    char *base = (char *)((uintptr_t)block[SOME / 2] & ~(uintptr_t)(SLAB_SIZE - 1));
    memset(live, 0, sizeof live);
    for (unsigned i = 1; i < SOME; i += 2)
        if (fast_slab(block[i]) == slab)
            live[((char *)block[i] - base) / 8] = true;
    for (unsigned i = 0; i < SLAB_SIZE / 8; i++)
        if (!live[i] && cold_free(slab_label(slab), slab_label(slab)->owner, base + i * 8, 0))
            fail_msg("offset %u of a slab of %zu bytes was taken for a live block", i * 8, size);
    for (unsigned i = 1; i < SOME; i += 2) {
        uint32_t tag = test_tag(6000 + i % 100);
        slab = fast_slab(block[i]);
        assert_false(cold_free(slab_label(slab), slab_label(slab)->owner, block[i], tag + 1));
        assert_true(cold_free(slab_label(slab), slab_label(slab)->owner, block[i], tag));
        assert_false(cold_free(slab_label(slab), slab_label(slab)->owner, block[i], tag));
    }
    pool_walk();
}

static void an_address_that_is_no_live_block_is_left_alone(void **state) {
    (void)state;
    churn(6000, 100);
    for (size_t size = 16; size <= 4000; size += size / 2)
        only_live_blocks_are_freed_quickly(size);
    assert_int_equal(test_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_tags_have_slabs_and_many_share),
        cmocka_unit_test(a_full_flow_is_carried),
        cmocka_unit_test(an_address_that_is_no_live_block_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
