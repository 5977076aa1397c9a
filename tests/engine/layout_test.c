/* Where blocks lie and what a pointer is answered: page rule, alignment, interior and wild pointers, zeroing. */
#include <pthread.h>

#include "engine_test.h"
#include "ex/classes.h"

#define PAGE 4096u

/* An account whose every class has slabs of its own: more of each than any promotion asks for. */
static void make_warm(uint64_t key, size_t size) {
    void *block[200];
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 200; i++)
            assert_non_null(block[i] = pool_alloc(key, size));
        for (unsigned i = 0; i < 200; i++)
            pool_free(block[i]);
    }
}

static void check_page_rule(const void *block, size_t size) {
    uintptr_t at = (uintptr_t)block;

    assert_non_null(block);
    assert_true(engine_size(block) >= size);
    assert_int_equal(at % 16, 0);
    if (size >= PAGE)
        assert_int_equal(at % PAGE, 0);
    else
        assert_int_equal(at / PAGE, (at + size - 1) / PAGE);
}

static void every_size_obeys_the_page_rule(void **state) {
    (void)state;
    /* Once from mixed slabs, again and again from own ones, with neighbours held so that places differ. */
    for (size_t size = 1; size <= 65536; size++) {
        uint64_t key = test_key(size % 3);
        void *block[5];
        for (unsigned i = 0; i < 5; i++) {
            block[i] = pool_alloc(key, size);
            check_page_rule(block[i], size);
        }
        for (unsigned i = 0; i < 5; i++)
            pool_free(block[i]);
    }
    pool_walk();
    assert_int_equal(test_live_blocks(), 0);
}

static void every_block_of_a_slab_obeys_the_page_rule(void **state) {
    static void *block[3 * SLAB_SIZE / 16];
    (void)state;
    for (size_t size = 16; size <= 32768; size += size < 512 ? 16 : 208) {
        unsigned count = (unsigned)(3 * SLAB_SIZE / size);
        for (unsigned i = 0; i < count; i++) {
            block[i] = pool_alloc(test_key(7), size);
            check_page_rule(block[i], size);
        }
        for (unsigned i = 0; i < count; i++)
            pool_free(block[i]);
    }
    pool_walk();
}

static void cache_aligned_blocks_start_on_a_line(void **state) {
    (void)state;
    for (size_t size = 1; size <= 40000; size += size < 5000 ? 1 : 977) {
        uint64_t key = test_key(8);
        void *block = engine_alloc(key | ENGINE_ALIAS, key, size, ENGINE_CACHE_ALIGNED);
        check_page_rule(block, size);
        assert_int_equal((uintptr_t)block % 64, 0);
        pool_free(block);
    }
}

static void any_alignment_is_kept(void **state) {
    (void)state;
    for (size_t alignment = 16; alignment <= 4 << 20; alignment *= 2)
        for (size_t size = 1; size < 300000; size = size * 3 + 1) {
            void *block =
                engine_alloc_aligned(test_key(9), test_key(9), size, alignment, ENGINE_ZERO);
            assert_non_null(block);
            assert_int_equal((uintptr_t)block % alignment, 0);
            assert_true(engine_size(block) >= size);
            memset(block, 0xA5, size);
            pool_free(block);
        }
    pool_walk();
}

static void check_interior(unsigned char *block) {
    size_t size = engine_size(block);
    struct engine_block found;

    assert_int_equal(engine_lookup(block, &found), ENGINE_OK);
    for (size_t at = 1; at < size; at++) {
        if (engine_lookup(block + at, &found) != ENGINE_INTERIOR || found.start != (uintptr_t)block)
            fail_msg("offset %zu of a block of %zu bytes is not seen as interior", at, size);
        if (engine_free(block + at, 0) != ENGINE_INTERIOR)
            fail_msg("offset %zu of a block of %zu bytes was freed", at, size);
    }
    assert_int_equal(engine_lookup(block, &found), ENGINE_OK);
}

static void interior_pointers_are_always_seen(void **state) {
    static const size_t sizes[] = {1,    32,   48,   112,   240,   256,   272,   304,
                                   400,  448,  576,  672,   816,   1008,  1360,  2048,
                                   3000, 4096, 8192, 12288, 32768, 40000, 70000, 300000};
    (void)state;
    for (unsigned i = 0; i < RXP_COUNT(sizes); i++) {
        unsigned char *cold = pool_alloc(test_key(100 + i), sizes[i]);
        check_interior(cold);
        if (sizes[i] <= SLAB_BLOCK_MAX)
            make_warm(test_key(10), sizes[i]);
        unsigned char *warm = pool_alloc(test_key(10), sizes[i]);
        check_interior(warm);
        pool_free(cold);
        pool_free(warm);
    }
}

#define DENSE_KEY ACCOUNT_KEY(test_tag(20), ACCOUNT_DENSE, 0)

static void dense_blocks_up_to_a_slab_are_no_spans(void **state) {
    (void)state;
    for (size_t size = 32769; size <= 65537; size += 4096) {
        unsigned char *block[3];
        for (unsigned i = 0; i < RXP_COUNT(block); i++) {
            block[i] = engine_alloc(DENSE_KEY, DENSE_KEY, size, ENGINE_ZERO);
            assert_non_null(block[i]);
            assert_true(engine_size(block[i]) >= size);
            for (size_t at = 0; at < size; at++)
                assert_int_equal(block[i][at], 0);
            memset(block[i], 0xA5, size);
            assert_int_equal(fast_slab(block[i])->kind == SLAB_SPAN, size > 65536);
        }
        check_interior(block[0]);
        for (unsigned i = 0; i < RXP_COUNT(block); i++)
            pool_free(block[i]);
    }
    pool_walk();
}

static unsigned quick, wrong; /* blocks */

static void take_aligned(size_t size, size_t alignment) {
    void *first = engine_alloc_aligned(DENSE_KEY, DENSE_KEY, size, alignment, 0);
    engine_free(first, 0);
    void *block = engine_alloc_fast_aligned(DENSE_KEY, size, alignment);
    quick += block != NULL;
    wrong += block != NULL && ((uintptr_t)block % alignment != 0 || engine_size(block) < size);
    if (block != NULL)
        engine_free(block, 0);
}

static void *take_all_aligned(void *unused) {
    void *live = engine_alloc(DENSE_KEY, DENSE_KEY, 32 << 20,
                              0); /* or the pool is emptied, and its heap rests */
    for (size_t alignment = 32; alignment <= 65536; alignment *= 2)
        for (size_t size = 1; size <= 65536; size += size / 16 + 1)
            take_aligned(size, alignment);
    wrong += engine_alloc_fast_aligned(DENSE_KEY, 65537, 32) != NULL;
    wrong += engine_alloc_fast_aligned(DENSE_KEY, 1, 131072) != NULL;
    engine_free(live, 0);
    return unused;
}

/* In a thread of its own, whose heap gives its first account own slabs. */
static void a_known_callers_blocks_are_aligned_too(void **state) {
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, take_all_aligned, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(wrong, 0);
    assert_true(quick != 0); /* how many depends on when memory goes back, by the clock */
    pool_walk();
}

static void wild_pointers_are_refused(void **state) {
    static int global;
    int local;
    void *heap = malloc(100);
    void *block = pool_alloc(test_key(11), 100);
    const struct root *root = engine_root();
    struct engine_block found;
    const void *wild[] = {NULL,
                          (void *)1,
                          (void *)16,
                          &global,
                          &local,
                          heap,
                          (void *)UINTPTR_MAX,
                          (void *)(UINTPTR_MAX - 15),
                          (void *)((uintptr_t)1 << 47),
                          root,
                          (void *)root->slabs,
                          (void *)root->accounts,
                          (void *)(root->self + root->range_size - 16),
                          (void *)(root->self + root->range_size),
                          (void *)(root->self - 16)};

    (void)state;
    for (unsigned i = 0; i < RXP_COUNT(wild); i++) {
        enum engine_verdict verdict = engine_lookup(wild[i], &found);
        if (verdict != ENGINE_FOREIGN && verdict != ENGINE_UNUSED)
            fail_msg("wild pointer %u is answered %d", i, (int)verdict);
        verdict = engine_free((void *)wild[i], 0);
        if (verdict != ENGINE_FOREIGN && verdict != ENGINE_UNUSED)
            fail_msg("wild pointer %u is freed with %d", i, (int)verdict);
        assert_int_equal(engine_size(wild[i]), 0);
        assert_false(engine_resize((void *)wild[i], 1));
    }
    pool_free(block);
    free(heap);
    pool_walk();
}

static void a_wrong_tag_frees_nothing(void **state) {
    static const size_t sizes[] = {40, 3000, 5000, 100000};
    (void)state;
    for (unsigned i = 0; i < RXP_COUNT(sizes); i++)
        for (unsigned warm = 0; warm < 2; warm++) {
            if (warm && sizes[i] <= SLAB_BLOCK_MAX)
                make_warm(test_key(12), sizes[i]);
            void *block = pool_alloc(test_key(12), sizes[i]);
            assert_int_equal(engine_free(block, test_tag(13)), ENGINE_WRONG_TAG);
            assert_int_equal(engine_free(block, test_tag(12)), ENGINE_OK);
        }
}

static void a_freed_span_is_not_freed_again(void **state) {
    void *block = pool_alloc(test_key(14), 1 << 20);
    (void)state;
    pool_free(block);
    assert_int_not_equal(engine_free(block, 0), ENGINE_OK);
    pool_walk();
}

static void zeroed_memory_is_zero(void **state) {
    (void)state;
    for (size_t size = 1; size <= 3 << 20; size += 1 + size / 7) {
        uint64_t key = test_key(15);
        for (unsigned round = 0; round < 3; round++) {
            unsigned char *dirty = pool_alloc(key, size);
            memset(dirty, 0xFF, engine_size(dirty));
            pool_free(dirty);
            unsigned char *zero = engine_alloc(key, key, size, ENGINE_ZERO);
            for (size_t i = 0; i < size; i++)
                if (zero[i] != 0)
                    fail_msg("byte %zu of %zu is 0x%02x", i, size, zero[i]);
            memset(zero, 0xFF, engine_size(zero));
            pool_free(zero);
        }
    }
}

static void sizes_that_cannot_be_answer_null(void **state) {
    (void)state;
    for (unsigned less = 0; less < 70000; less += 1 + less / 3) {
        assert_null(pool_alloc(test_key(16), SIZE_MAX - less));
        assert_null(pool_alloc(test_key(16), SIZE_MAX / 2 - less));
        assert_null(engine_alloc_aligned(test_key(16), test_key(16), SIZE_MAX - less, 4096, 0));
        assert_null(engine_alloc(test_key(16), test_key(16), SIZE_MAX - less, ENGINE_ZERO));
    }
    assert_null(pool_alloc(test_key(16), (size_t)1 << 47));
    assert_null(engine_alloc_aligned(test_key(16), test_key(16), 1, (size_t)1 << 62, 0));
    void *block = pool_alloc(test_key(16), 100000);
    assert_false(engine_resize(block, SIZE_MAX));
    assert_false(engine_resize(block, SIZE_MAX - 4095));
    pool_free(block);
    void *least = pool_alloc(test_key(16), 0);
    assert_true(engine_size(least) >= 1);
    pool_free(least);
    pool_walk();
}

static void one_compare_tells_every_start_of_a_block(void **state) {
    (void)state;
    pool_free(pool_alloc(test_key(1), 1)); /* the classes stand */
    for (int layout = 0; layout < 2; layout++)
        for (unsigned class = 0; class < engine_classes.count[layout]; class ++) {
            const struct class_info *c = &engine_classes.info[layout][class];
            for (uint32_t offset = 0; offset <= c->unit_mask; offset++) {
                bool starts = offset % c->block_size == 0 && offset / c->block_size < c->per_unit;
                assert_int_equal(class_starts_block(c->reciprocal, c->limit, offset), starts);
            }
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_compare_tells_every_start_of_a_block),
        cmocka_unit_test(every_size_obeys_the_page_rule),
        cmocka_unit_test(every_block_of_a_slab_obeys_the_page_rule),
        cmocka_unit_test(cache_aligned_blocks_start_on_a_line),
        cmocka_unit_test(any_alignment_is_kept),
        cmocka_unit_test(interior_pointers_are_always_seen),
        cmocka_unit_test(dense_blocks_up_to_a_slab_are_no_spans),
        cmocka_unit_test(a_known_callers_blocks_are_aligned_too),
        cmocka_unit_test(wild_pointers_are_refused),
        cmocka_unit_test(a_wrong_tag_frees_nothing),
        cmocka_unit_test(a_freed_span_is_not_freed_again),
        cmocka_unit_test(zeroed_memory_is_zero),
        cmocka_unit_test(sizes_that_cannot_be_answer_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
