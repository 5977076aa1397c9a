/* The reader against tables made by hand: their figures, their torn states, and anything in their place. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image.h"
#include "rxpool/stats.h"

#define TSET IMAGE_TAG('T', 's', 'e', 't')
#define OTHER IMAGE_TAG('O', 't', 'h', 'r')

static struct image image;

static int set_up(void **state) {
    (void)state;
    image_make(&image);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    image_drop(&image);
    return 0;
}

/* Opens and reads; the handle, or NULL with the status in *status. */
static struct rxpool_stats *read_image(enum rxpool_stats_status *status) {
    struct rxpool_stats *stats;
    struct rxpool_stats_error error = {0};

    *status = rxpool_stats_open_self(&stats, &error);
    if (*status == RXPOOL_STATS_OK)
        *status = rxpool_stats_read(stats, &error);
    if (*status == RXPOOL_STATS_OK)
        return stats;
    assert_int_equal(error.status, *status);
    assert_true(error.text[0] != '\0' && strchr(error.text, '\n') == NULL);
    rxpool_stats_close(stats);
    return NULL;
}

static struct rxpool_stats *read_good_image(void) {
    enum rxpool_stats_status status;
    struct rxpool_stats *stats = read_image(&status);
    assert_int_equal(status, RXPOOL_STATS_OK);
    return stats;
}

static void assert_refused(enum rxpool_stats_status expected) {
    enum rxpool_stats_status status;
    assert_null(read_image(&status));
    assert_int_equal(status, expected);
}

/* --- figures -------------------------------------------------------------------------------- */

static void sums_slabs_folds_and_counters(void **state) {
    uint32_t id = image_account(&image, TSET, 0, 0);
    (void)state;
    image_slab(&image, id, 64, 1000, 300, 200);
    image_slab(&image, id, 128, 50, 50, 0);
    image.accounts[id].retired_allocs = 70;
    image.accounts[id].retired_frees = 70;
    image.counters[0][id] = (struct counters){10, 3, 1000, 300};
    image.counters[1][id] = (struct counters){0, 2, 0, 200};
    image.shared[id] = (struct counters){4, 4, 64, 64};
    image.flows[0][id] = (struct flow){2 * FLOW_OF(48), FLOW_OUT(FLOW_OF(48))};
    image.flows[1][id] = (struct flow){FLOW_OF(32768), 0};

    struct rxpool_stats *stats = read_good_image();
    const struct rxpool_stats_row *row = rxpool_stats_row(stats, 0);
    assert_int_equal(rxpool_stats_summary(stats)->rows, 1);
    assert_int_equal(rxpool_stats_summary(stats)->heaps, 2);
    assert_int_equal(row->tag, TSET);
    assert_int_equal(row->flags, 0);
    assert_int_equal(row->allocs, 1000 + 50 + 70 + 10 + 4 + 3);
    assert_int_equal(row->frees, 500 + 50 + 70 + 5 + 4 + 1);
    assert_int_equal(row->diff, 507);
    assert_int_equal(row->bytes, 500 * 64 + 500 + 48 + 32768);
    assert_int_equal(row->per_alloc, (500 * 64 + 500 + 48 + 32768) / 507);
    assert_null(rxpool_stats_row(stats, 1));
    rxpool_stats_close(stats);
}

static void merges_what_a_table_does_not_tell_apart(void **state) {
    (void)state;
    uint32_t site = image_site(&image, "libx.so", 0);
    uint32_t line = image_site(&image, "x.c", 7);
    image_slab(&image, image_account(&image, TSET, 0, 0), 16, 1, 0, 0);
    image_slab(&image, image_account(&image, TSET, ACCOUNT_QUOTA, 0), 16, 2, 0, 0);
    image_slab(&image, image_account(&image, TSET, ACCOUNT_PAGED, 0), 16, 4, 0, 0);
    image_slab(&image, image_account(&image, TSET, 0, site), 16, 8, 0, 0);
    image_slab(&image, image_account(&image, TSET, 0, line), 16, 16, 0, 0);
    image_account(&image, OTHER, 0, 0); /* never used: no row */

    struct rxpool_stats *stats = read_good_image();
    static const uint64_t allocs[] = {16, 8, 4, 3}; /* most bytes first */
    assert_int_equal(rxpool_stats_summary(stats)->rows, RXP_COUNT(allocs));
    for (uint32_t i = 0; i < RXP_COUNT(allocs); i++)
        assert_int_equal(rxpool_stats_row(stats, i)->allocs, allocs[i]);
    assert_string_equal(rxpool_stats_name(stats, rxpool_stats_row(stats, 0)->name), "x.c");
    assert_int_equal(rxpool_stats_row(stats, 0)->line, 7);
    assert_string_equal(rxpool_stats_name(stats, rxpool_stats_row(stats, 1)->name), "libx.so");
    assert_int_equal(rxpool_stats_row(stats, 2)->flags, RXPOOL_STATS_PAGED);
    assert_string_equal(rxpool_stats_name(stats, rxpool_stats_row(stats, 3)->name), "");
    rxpool_stats_close(stats);
}

static void takes_held_blocks_for_freed(void **state) {
    (void)state;
    uint32_t id = image_account(&image, TSET, 0, 0);
    image_slab(&image, id, 100, 10, 2, 0);
    image.accounts[id].held_blocks = 3;
    image.accounts[id].held_bytes = 300;
    image.accounts[id].overhead_bytes = 90;

    struct rxpool_stats *stats = read_good_image();
    const struct rxpool_stats_row *row = rxpool_stats_row(stats, 0);
    assert_int_equal(row->frees, 5);
    assert_int_equal(row->diff, 5);
    assert_int_equal(row->bytes, 500);
    assert_int_equal(row->caller_bytes, 410);
    assert_true(rxpool_stats_summary(stats)->checked);
    rxpool_stats_close(stats);
}

/* --- torn ----------------------------------------------------------------------------------- */

static void marks_an_odd_generation(void **state) {
    (void)state;
    uint32_t id = image_account(&image, TSET, 0, 0);
    image.slabs[image_slab(&image, id, 16, 5, 5, 0)].generation = 3;
    image_slab(&image, id, 16, 9, 1, 0);

    struct rxpool_stats *stats = read_good_image();
    const struct rxpool_stats_row *row = rxpool_stats_row(stats, 0);
    assert_int_equal(row->flags, RXPOOL_STATS_TORN);
    assert_int_equal(row->diff, 8); /* only empty slabs change hands */
    assert_int_equal(row->bytes, 128);
    rxpool_stats_close(stats);
}

static void marks_a_fold_that_never_ends(void **state) {
    (void)state;
    uint32_t id = image_account(&image, TSET, 0, 0);
    image_slab(&image, image_account(&image, OTHER, 0, 0), 16, 1, 0, 0);
    image_slab(&image, id, 16, 9, 1, 0);
    image.accounts[id].fold_begin = 4;
    image.accounts[id].fold_end = 3;

    struct rxpool_stats *stats = read_good_image();
    assert_int_equal(rxpool_stats_row(stats, 0)->flags, RXPOOL_STATS_TORN);
    assert_int_equal(rxpool_stats_row(stats, 1)->flags, 0);
    rxpool_stats_close(stats);
}

/* --- damage --------------------------------------------------------------------------------- */

static void tells_where_there_is_no_pool(void **state) {
    (void)state;
    image.root->magic[3] ^= 1;
    assert_refused(RXPOOL_STATS_NO_POOL);
}

static void tells_another_version(void **state) {
    (void)state;
    image.root->version++;
    assert_refused(RXPOOL_STATS_VERSION_MISMATCH);
}

static void refuses_counts_out_of_bounds(void **state) {
    (void)state;
    image.root->slab_high = IMAGE_SLABS + 1;
    assert_refused(RXPOOL_STATS_DAMAGED);
    image.root->slab_high = 1;
    image.root->account_high = IMAGE_ACCOUNTS + 1;
    assert_refused(RXPOOL_STATS_DAMAGED);
    image.root->account_high = 3;
    image.root->range_size = UINT64_MAX;
    assert_refused(RXPOOL_STATS_DAMAGED);
}

static void refuses_a_loop_of_heaps(void **state) {
    (void)state;
    image.heaps[0]->next_heap = (uintptr_t)image.heaps[1];
    assert_refused(RXPOOL_STATS_DAMAGED);
}

static void refuses_a_wild_pointer(void **state) {
    (void)state;
    image.heaps[0]->next_heap = 0x10;
    assert_refused(RXPOOL_STATS_DAMAGED);
    image.heaps[0]->next_heap = 0;
    image.root->accounts = UINT64_MAX - 8;
    assert_refused(RXPOOL_STATS_DAMAGED);
}

static void refuses_a_chain_of_ranges_that_returns(void **state) {
    (void)state;
    image.root->next_range = image.root->self;
    assert_refused(RXPOOL_STATS_DAMAGED);
}

static uint64_t seed = 20240601;

static uint64_t next_random(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

/* Words that damage leaves: none, all, small, an address, anything. */
static uint64_t random_word(void) {
    switch (next_random() % 5) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    case 2:
        return next_random() % 70000;
    case 3:
        return (uintptr_t)image.root + next_random() % IMAGE_SIZE;
    default:
        return next_random();
    }
}

/* Whatever the tables hold, a read ends, and what it shows obeys the rules. */
static void survives_any_damage(void **state) {
    (void)state;
    for (int round = 0; round < 3000; round++) {
        image_drop(&image);
        image_make(&image);
        uint32_t site = image_site(&image, "libx.so", 0);
        for (uint32_t i = 0; i < 8; i++)
            image_slab(&image, image_account(&image, TSET + i, i % 2, site), 16, 9 + i, i, 0);
        for (uint64_t n = 1 + next_random() % 4; n > 0; n--) {
            /* Two in three hits go where pointers and counts are dense. */
            size_t size = n % 3 == 0 ? 192 * 1024 : n % 3 == 1 ? sizeof(struct root) : 16384;
            ((uint64_t *)image.root)[next_random() % (size / 8)] = random_word();
        }
        enum rxpool_stats_status status;
        struct rxpool_stats *stats = read_image(&status);
        const struct rxpool_stats_row *row;
        for (uint32_t i = 0; stats != NULL && (row = rxpool_stats_row(stats, i)) != NULL; i++) {
            assert_true(strlen(rxpool_stats_name(stats, row->name)) <= 4096);
            if (row->diff > 0)
                assert_int_equal(row->per_alloc, row->bytes / row->diff);
        }
        rxpool_stats_close(stats);
    }
}

/* --- under load ----------------------------------------------------------------------------- */

/*
 * What the engine does to one account's slab, as fast as it goes: fill, empty, fold, take again. A slab of
 * 64 KiB has so many blocks of 64 bytes; one that folds much more often than a reader can look twice
 * would be torn in most reads.
 */
#define LOAD_BLOCKS 1000
static struct load {
    _Atomic uint64_t allocs, frees; /* what a read that ends now may show at most */
    _Atomic bool stop;
    uint32_t account, slab;
} load;

static void load_fold(struct account *a, struct slab *slab) {
    a->fold_begin++;
    slab->generation++;
    slab->kind = SLAB_NONE;
    slab->account = 0;
    slab->generation++;
    a->retired_allocs += slab->allocs;
    a->retired_frees += FREED_COUNT(slab->freed) + REMOTE_PUSHES(slab->remote);
    a->fold_end++;
    slab->generation++;
    slab->allocs = slab->freed = slab->remote = 0;
    slab->account = (uint16_t)load.account;
    slab->kind = SLAB_OWN;
    slab->generation++;
}

static void *load_run(void *unused) {
    struct slab *slab = &image.slabs[load.slab];

    (void)unused;
    while (!load.stop) {
        for (int i = 0; i < LOAD_BLOCKS; i++) {
            load.allocs++;
            slab->allocs++;
        }
        for (int i = 0; i < LOAD_BLOCKS; i++) {
            load.frees++;
            if (i % 2)
                slab->freed += FREED_STEP;
            else
                slab->remote += 1u << (REMOTE_HEAD_BITS + REMOTE_STATE_BITS);
        }
        load_fold(&image.accounts[load.account], slab);
    }
    return NULL;
}

/* Blocks of a mixed slab, whose flow is carried each time round, as an owner does it. */
static void *flow_run(void *unused) {
    struct heap_public *heap = image.heaps[0];
    struct counters *c = &image.counters[0][load.account];
    struct flow *f = &image.flows[0][load.account];

    (void)unused;
    while (!load.stop) {
        for (int i = 0; i < LOAD_BLOCKS; i++) {
            load.allocs++;
            f->in += FLOW_OF(48);
        }
        for (int i = 0; i < LOAD_BLOCKS; i++) {
            load.frees++;
            f->out += FLOW_OUT(FLOW_OF(48));
        }
        heap->carrying = load.account;
        c->bytes_in += FLOW_BYTES(FLOW_OUT(f->in));
        c->allocs += FLOW_BLOCKS(FLOW_OUT(f->in));
        c->frees += FLOW_BLOCKS(f->out);
        c->bytes_out += FLOW_BYTES(f->out);
        f->in = f->out = 0;
        heap->carries++;
        heap->carrying = 0;
    }
    return NULL;
}

/*
 * Reads 2,000 times while `run` works on `load`: what a reader sees lies between what was counted before and after, and
 * `judge` holds of it. The thread counts in `load` first, so that what is read may be one behind. *torn: rows that say that
 * they are not of one moment.
 */
static struct rxpool_stats *read_under_load(void *(*run)(void *),
                                            void (*judge)(const struct rxpool_stats_row *),
                                            unsigned *torn) {
    pthread_t thread;
    struct rxpool_stats *stats;

    *torn = 0;
    assert_int_equal(rxpool_stats_open_self(&stats, NULL), RXPOOL_STATS_OK);
    assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
    for (int i = 0; i < 2000; i++) {
        uint64_t allocs = load.allocs, frees = load.frees;
        assert_int_equal(rxpool_stats_read(stats, NULL), RXPOOL_STATS_OK);
        const struct rxpool_stats_row *row = rxpool_stats_row(stats, 0);
        if (row->flags & RXPOOL_STATS_TORN) {
            ++*torn;
            continue;
        }
        assert_in_range(row->allocs, allocs, load.allocs + 1);
        assert_in_range(row->frees, frees == 0 ? 0 : frees - 1, load.frees);
        judge(row);
    }
    load.stop = true;
    pthread_join(thread, NULL);
    return stats;
}

static void lives(const struct rxpool_stats_row *row) {
    assert_true((int64_t)row->diff >= 1);
}

static void carried_flows_are_exact_under_load(void **state) {
    unsigned torn;

    (void)state;
    load = (struct load){.account = image_account(&image, TSET, 0, 0)};
    image.counters[1][load.account] =
        (struct counters){1, 0, 48, 0}; /* so that there is a row always */
    rxpool_stats_close(read_under_load(flow_run, lives, &torn));
    assert_true(torn < 1000);
}

static void a_flow_frozen_while_carried_is_torn(void **state) {
    uint32_t id = image_account(&image, TSET, 0, 0);

    (void)state;
    image.flows[0][id] = (struct flow){FLOW_OF(48), 0};
    image.heaps[0]->carrying = id;
    struct rxpool_stats *stats = read_good_image();
    assert_true(rxpool_stats_row(stats, 0)->flags & RXPOOL_STATS_TORN);
    rxpool_stats_close(stats);
}

static void lives_with_its_bytes(const struct rxpool_stats_row *row) {
    assert_in_range(row->diff, 1, LOAD_BLOCKS + 1);
    assert_int_equal(row->bytes, row->diff * 16);
}

static void reads_exactly_under_load(void **state) {
    unsigned torn;

    (void)state;
    load.account = image_account(&image, TSET, 0, 0);
    load.slab = image_slab(&image, load.account, 16, 0, 0, 0);
    image.counters[0][load.account] =
        (struct counters){1, 0, 16, 0}; /* so that there is a row always */
    struct rxpool_stats *stats = read_under_load(load_run, lives_with_its_bytes, &torn);
    assert_int_equal(rxpool_stats_read(stats, NULL), RXPOOL_STATS_OK);
    assert_int_equal(rxpool_stats_row(stats, 0)->flags, 0);
    assert_int_equal(rxpool_stats_row(stats, 0)->allocs, load.allocs + 1);
    assert_int_equal(rxpool_stats_row(stats, 0)->frees, load.frees);
    assert_in_range(torn, 0, 200);
    rxpool_stats_close(stats);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sums_slabs_folds_and_counters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(merges_what_a_table_does_not_tell_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(takes_held_blocks_for_freed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(marks_an_odd_generation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(marks_a_fold_that_never_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tells_where_there_is_no_pool, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tells_another_version, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_counts_out_of_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_a_loop_of_heaps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_a_wild_pointer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_a_chain_of_ranges_that_returns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(survives_any_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_exactly_under_load, set_up, tear_down),
        cmocka_unit_test_setup_teardown(carried_flows_are_exact_under_load, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_flow_frozen_while_carried_is_torn, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
