/* What the engine's tests share. */
#ifndef RXPOOL_TESTS_ENGINE_TEST_H
#define RXPOOL_TESTS_ENGINE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ex/cold.h"
#include "ex/engine.h"
#include "rxpool/stats.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* Four good characters for every number below 456,976. */
static inline uint32_t test_tag(uint32_t n) {
    return ('a' + n % 26) | ('a' + n / 26 % 26) << 8 | ('a' + n / 676 % 26) << 16 |
           ('a' + n / 17576 % 26) << 24;
}

static inline uint64_t test_key(uint32_t n) {
    return ACCOUNT_KEY(test_tag(n), n % 2 ? ACCOUNT_PAGED : 0, 0);
}

/* As the exported functions go: each path when the one before it has missed. */
static inline void *pool_alloc_by_all_paths(uint64_t key, size_t size) {
    const struct table_entry *e = fast_entry(key);
    void *block = fast_alloc(e, key, size, LAYOUT_POOL);

    if (block == NULL)
        block = cold_alloc(e, key, size, LAYOUT_POOL);
    if (block == NULL)
        block = engine_alloc_known(key, size, LAYOUT_POOL);
    return block != NULL ? block : engine_alloc(key, key, size, 0);
}

static inline enum engine_verdict pool_free_by_all_paths(void *block, uint32_t tag) {
    const struct slab_label *label = fast_label(block);
    uint32_t owner = STATE_LOAD(&label->owner);

    return fast_free(label, owner, block, tag) || cold_free(label, owner, block, tag) ||
                   cold_push(label, owner, block, tag)
               ? ENGINE_OK
               : engine_free(block, tag);
}

static inline void *pool_alloc(uint64_t key, size_t size) {
    return engine_alloc(key, key, size, 0);
}

static inline void pool_free(void *block) {
    assert_int_equal(engine_free(block, 0), ENGINE_OK);
}

static inline void pool_walk(void) {
    const char *wrong = engine_walk();
    if (wrong != NULL)
        fail_msg("engine_walk: %s", wrong);
}

static inline uint64_t test_random(uint64_t *state) {
    *state += 0x9E3779B97F4A7C15u;
    uint64_t x = (*state ^ (*state >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static inline uint64_t test_live_blocks(void) {
    struct engine_totals totals;
    engine_totals(&totals);
    return totals.live_blocks;
}

/* What the pool's table says of a tag; zeroes where it has no row. */
static inline struct rxpool_stats_row test_row(uint32_t tag) {
    struct rxpool_stats *stats;
    const struct rxpool_stats_row *row;
    struct rxpool_stats_row found = {0};

    assert_int_equal(rxpool_stats_open_self(&stats, NULL), RXPOOL_STATS_OK);
    assert_int_equal(rxpool_stats_read(stats, NULL), RXPOOL_STATS_OK);
    for (uint32_t i = 0; (row = rxpool_stats_row(stats, i)) != NULL; i++)
        if (row->tag == tag)
            found = *row;
    rxpool_stats_close(stats);
    return found;
}

#endif
