/* Random operations against a model, under few and many tags, and what happens when accounts run out. */
#include <pthread.h>

#include "engine_test.h"

#define TAGS 10000u
#define BLOCKS 20000u

struct block {
    unsigned char *at;
    size_t size;
    uint32_t tag;
};

static struct { uint64_t allocs, frees, bytes; } model[TAGS];
static struct block block[BLOCKS];

static void fill(const struct block *b) {
    for (size_t i = 0; i < b->size; i += 1 + i / 16)
        b->at[i] = (unsigned char)(((uintptr_t)b->at >> 4) + b->size + i);
}

static void check_fill(const struct block *b) {
    for (size_t i = 0; i < b->size; i += 1 + i / 16)
        assert_int_equal(b->at[i], (unsigned char)(((uintptr_t)b->at >> 4) + b->size + i));
}

static void check_table(uint32_t tags) {
    struct rxpool_stats *stats;
    const struct rxpool_stats_row *row;
    uint32_t rows = 0, expected = 0;

    assert_int_equal(rxpool_stats_open_self(&stats, NULL), RXPOOL_STATS_OK);
    assert_int_equal(rxpool_stats_read(stats, NULL), RXPOOL_STATS_OK);
    for (uint32_t i = 0; (row = rxpool_stats_row(stats, i)) != NULL; i++) {
        uint32_t t = row->tag, n = (t & 0xFF) - 'a' + ((t >> 8 & 0xFF) - 'a') * 26 +
                                   ((t >> 16 & 0xFF) - 'a') * 676;
        assert_true(n < tags && test_tag(n) == t);
        assert_int_equal(row->flags, n % 2 ? RXPOOL_STATS_PAGED : 0);
        assert_int_equal(row->allocs, model[n].allocs);
        assert_int_equal(row->frees, model[n].frees);
        assert_int_equal(row->diff, model[n].allocs - model[n].frees);
        assert_int_equal(row->bytes, model[n].bytes);
        rows++;
    }
    for (uint32_t n = 0; n < TAGS; n++)
        expected += model[n].allocs != 0;
    assert_int_equal(rows, expected);
    rxpool_stats_close(stats);
}

static size_t random_size(uint64_t *seed) {
    uint64_t r = test_random(seed);
    return r % 100 < 97 ? 1 + (r >> 8) % ((size_t)16 << (r >> 40) % 9) : 1 + (r >> 8) % 500000;
}

static void give(struct block *b, uint64_t r) {
    check_fill(b);
    model[b->tag].frees++;
    model[b->tag].bytes -= engine_size(b->at);
    uint32_t tag = r % 2 ? test_tag(b->tag) : 0;
    assert_int_equal(r & 0xF00 ? pool_free_by_all_paths(b->at, tag) : engine_free(b->at, tag),
                     ENGINE_OK);
    b->at = NULL;
}

static void take(struct block *b, uint32_t tags, uint64_t *seed) {
    uint64_t r = test_random(seed);

    b->tag = (uint32_t)(r >> 32) % (r % 2 ? tags : (tags + 9) / 10);
    b->size = random_size(seed);
    if (r % 50 == 0)
        b->at = engine_alloc_aligned(test_key(b->tag), test_key(b->tag), b->size,
                                     (size_t)16 << r / 50 % 9, 0);
    else if (r % 5 == 0)
        b->at = engine_alloc(test_key(b->tag), test_key(b->tag), b->size,
                             r % 15 == 0 ? ENGINE_NO_INSTALL : 0);
    else
        b->at = pool_alloc_by_all_paths(test_key(b->tag), b->size);
    assert_non_null(b->at);
    model[b->tag].allocs++;
    model[b->tag].bytes += engine_size(b->at);
    fill(b);
}

static void resize(struct block *b, uint64_t *seed) {
    size_t before = engine_size(b->at), size = random_size(seed);

    check_fill(b);
    if (!engine_resize(b->at, size))
        return;
    assert_true(engine_size(b->at) >= size);
    model[b->tag].bytes += engine_size(b->at) - before;
    b->size = size;
    fill(b);
}

static void random_operations(uint32_t tags, uint64_t seed, unsigned batches) {
    print_message("%u tags, seed %llu\n", tags, (unsigned long long)seed);
    for (unsigned batch = 0; batch < batches; batch++) {
        for (unsigned i = 0; i < 5000; i++) {
            uint64_t r = test_random(&seed);
            struct block *b = &block[r % (BLOCKS / 10 * (1 + batch % 10))];
            if (b->at == NULL)
                take(b, tags, &seed);
            else if ((r >> 40) % 20 == 0)
                resize(b, &seed);
            else
                give(b, r >> 32);
        }
        pool_walk();
        check_table(tags);
        if (batch % 16 == 15)
            engine_trim();
    }
    for (unsigned i = 0; i < BLOCKS; i++)
        if (block[i].at != NULL)
            give(&block[i], i);
    pool_walk();
    check_table(tags);
    assert_int_equal(test_live_blocks(), 0);
}

static void totals_agree_with_the_model(void **state) {
    const char *text = getenv("RXPOOL_TEST_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : 1;
    (void)state;
    random_operations(1, seed, SANITIZED ? 20 : 30);
    random_operations(100, seed + 1, SANITIZED ? 20 : 60);
    random_operations(TAGS, seed + 2, SANITIZED ? 20 : 60);
}

/* Every tag in the same few classes costs what one tag costs, and at most a quarter more. */
static uint64_t mapped_with(uint32_t tags) {
    struct engine_totals totals;
    uint64_t seed = 5;

    for (unsigned i = 0; i < BLOCKS; i++) {
        block[i].at = pool_alloc(test_key(i % tags), 16 + test_random(&seed) % 1000);
        assert_non_null(block[i].at);
    }
    engine_totals(&totals);
    for (unsigned i = 0; i < BLOCKS; i++) {
        pool_free(block[i].at);
        block[i].at = NULL;
    }
    return totals.mapped_bytes;
}

static void many_tags_cost_a_quarter_more_at_most(void **state) {
    (void)state;
    engine_trim();
    uint64_t one = mapped_with(1), many = mapped_with(TAGS);
    print_message("1 tag: %llu KiB; %u tags: %llu KiB\n", (unsigned long long)one >> 10, TAGS,
                  (unsigned long long)many >> 10);
    assert_true(many <= one + one / 4);
    pool_walk();
}

/* The last test of its process: accounts never go. */
static unsigned first_on_own, second_on_mixed, sizes; /* one block of each size */

static void *first_and_second(void *unused) {
    for (size_t size = 16; size <= SLAB_BLOCK_MAX; size *= 2, sizes++) {
        void *first = pool_alloc_by_all_paths(test_key(0), size);
        void *second = pool_alloc_by_all_paths(test_key(1), size);
        first_on_own += fast_slab(first)->kind == SLAB_OWN;
        second_on_mixed += fast_slab(second)->kind == SLAB_MIXED;
        engine_free(first, 0);
        engine_free(second, 0);
    }
    return unused;
}

/* In a thread of its own, and so on a heap that nobody has used. */
static void a_heaps_first_account_shares_no_slab(void **state) {
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, first_and_second, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(first_on_own, sizes);
    assert_int_equal(second_on_mixed, sizes);
    pool_walk();
}

/* A thousand blocks in, and out again, under so many tags; how many of the last thousand lie on their tag's own slabs. */
static unsigned on_own_slabs(uint32_t tags) {
    static void *held[1000];
    unsigned own = 0;

    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i < 1000; i++) {
            uint64_t r = (i + 1 + round * 1000) * 0x9E3779B97F4A7C15u >> 24;
            held[i] = pool_alloc_by_all_paths(test_key((uint32_t)(r % tags)), (16 + r % 17)
                                                                                  << r / 17 % 6);
            own += round == 199 && fast_slab(held[i])->kind == SLAB_OWN;
        }
        for (unsigned i = 0; i < 1000; i++)
            pool_free_by_all_paths(held[i], 0);
    }
    pool_walk();
    return own;
}

static unsigned own_of_few, own_of_many;

static void *few_tags_then_many(void *unused) {
    own_of_few = on_own_slabs(4);
    own_of_many = on_own_slabs(24);
    return unused;
}

/* Where each tag's blocks of a class are one or two, a slab for them is more than they are. */
static void a_crowd_shares_slabs(void **state) {
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, few_tags_then_many, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(own_of_few > 900);
    assert_true(own_of_many < 300);
}

static void further_accounts_share_one(void **state) {
    static void *held[70000];
    struct rxpool_stats *stats;
    const struct rxpool_stats_row *row;
    uint64_t diff = 0, shared = 0;

    (void)state;
    for (uint32_t n = 0; n < 70000; n++) {
        held[n] = pool_alloc(test_key(n), 24);
        assert_non_null(held[n]);
    }
    pool_walk();
    assert_int_equal(rxpool_stats_open_self(&stats, NULL), RXPOOL_STATS_OK);
    assert_int_equal(rxpool_stats_read(stats, NULL), RXPOOL_STATS_OK);
    for (uint32_t i = 0; (row = rxpool_stats_row(stats, i)) != NULL; i++) {
        diff += row->diff;
        if (row->flags & RXPOOL_STATS_OVERFLOW)
            shared += row->diff;
    }
    rxpool_stats_close(stats);
    assert_int_equal(diff, 70000);
    assert_true(shared >= 70000 - 65535 && shared <= 70000 - 65535 + 16);
    for (uint32_t n = 0; n < 70000; n++)
        pool_free(held[n]);
    pool_walk();
    assert_int_equal(test_live_blocks(), 0);
}

static struct {
    bool own;
    uint64_t freed, counted;
    struct rxpool_stats_row start, now;
} days;

#define DAYS (FREED_MOST + 12345)

/* In a thread of its own, whose first account has slabs of its own: all blocks but one of a full slab that has served for days. */
static void *count_for_days(void *unused) {
    enum { HELD = 4000, KEPT = HELD / 2 };
    static void *held[HELD];

    for (unsigned i = 0; i < HELD; i++)
        held[i] = pool_alloc(test_key(1), 64);
    struct slab *slab = fast_slab(held[KEPT]);
    days.own = slab->kind == SLAB_OWN;
    days.start = test_row(test_tag(1));
    STATE_STORE(&slab->allocs, STATE_LOAD(&slab->allocs) + DAYS);
    STATE_STORE(&slab->freed, STATE_LOAD(&slab->freed) + DAYS);
    for (unsigned i = 0; i < HELD; i++)
        if (i != KEPT && fast_slab(held[i]) == slab) {
            pool_free_by_all_paths(held[i], 0);
            held[i] = NULL;
            days.freed++;
        }
    days.counted = FREED_COUNT(STATE_LOAD(&slab->freed));
    pool_walk();
    days.now = test_row(test_tag(1));
    for (unsigned i = 0; i < HELD; i++)
        if (held[i] != NULL)
            pool_free(held[i]);
    return unused;
}

/* The owner's frees leave room in their word for when it looks: before they fill it they go into the account. */
static void a_slab_counts_for_days(void **state) {
    uint64_t live = test_live_blocks();
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, count_for_days, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(days.own && days.freed > 0);
    assert_true(days.counted <= UINT32_MAX);
    assert_int_equal(days.now.allocs, days.start.allocs + DAYS);
    assert_int_equal(days.now.frees, days.start.frees + DAYS + days.freed);
    assert_int_equal(days.now.bytes, days.start.bytes - days.freed * 64);
    assert_int_equal(test_live_blocks(), live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals_agree_with_the_model),
        cmocka_unit_test(many_tags_cost_a_quarter_more_at_most),
        cmocka_unit_test(a_heaps_first_account_shares_no_slab),
        cmocka_unit_test(a_slab_counts_for_days),
        cmocka_unit_test(a_crowd_shares_slabs),
        cmocka_unit_test(further_accounts_share_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
