/*
 * The reader of pool tables. One read goes like this (why: layout.h, "Figures"):
 *
 *   frees pass    own slabs: frees and pushes of each -> counters: frees, bytes_out -> settle
 *   allocs pass   own slabs: allocs of each -> counters: allocs, bytes_in -> settle
 *   rows          accounts of one tag, pool type and site become one row
 *
 * The frees pass is over before the allocs pass begins, and every counter only rises, so that no
 * row ever shows more frees than allocs. A pass yields, for each account, a figure that held at
 * some instant within it:
 *
 *   - A slab's values count only when its generation was the same, and even, before and after.
 *   - `settle` looks once more at the account and at the generations of the slabs that the pass
 *     found, in a window in which no fold of the account begins or ends. A slab still of its
 *     generation is not folded: what the pass found in it counts. One that moved on is in the
 *     account's retired figures, which were read in that window, and counts only there. A slab that
 *     came and went meanwhile is in them too. So nothing counts twice, and nothing that lived when
 *     the pass began is missing.
 *   - Windows are tried a bounded number of times; then the account is torn. In a core once.
 */
#ifndef RXPOOL_STATS_READER_H
#define RXPOOL_STATS_READER_H

#include "ex/layout.h"
#include "stats/memory.h"

/* A slab of one account as a pass found it. */
struct seen {
    uint64_t address; /* of its descriptor */
    uint64_t count;   /* frees pass: frees + pushes; allocs pass: allocs */
    uint32_t generation;
    uint32_t block_size;
    uint32_t id;   /* of the slab: passes list them in the order of their ids */
    uint32_t next; /* index + 1 of the account's next one */
    uint16_t account;
    bool counts; /* settled, and not folded */
};

/* A pass over all slabs. */
struct pass {
    struct area seen; /* struct seen[] */
    uint32_t seen_count;
};

/* What a read gathers for one account. */
struct tally {
    uint64_t allocs, frees, bytes_in, bytes_out;
    int64_t held_blocks, held_bytes, overhead_bytes;
    uint64_t quota_charged;
    uint32_t first_seen; /* index + 1 in the pass at hand, until it is settled */
    uint32_t tag, site, type;
    bool torn;
};

struct rxpool_stats {
    struct area self;
    struct memory memory;
    uint64_t root_address;
    struct root root;        /* the first range's, as of this read */
    uint32_t account_high;   /* bounded */
    struct area tallies;     /* struct tally[ACCOUNTS_MAX] */
    struct area accounts;    /* two struct account[ACCOUNTS_MAX], before and after a window */
    struct area generations; /* uint32_t and struct piece for each seen slab */
    struct pass frees, allocs;
    struct area rows;  /* struct rxpool_stats_row[] */
    struct area names; /* their texts; offset 0 is "" */
    size_t names_used;
    struct area name_of_site; /* what is known of each site */
    struct rxpool_stats_summary summary;
};

enum pass_kind { PASS_FREES, PASS_ALLOCS };

/* Every one of these fails with a status and fills in *error. */
enum rxpool_stats_status root_find(struct rxpool_stats *s, struct rxpool_stats_error *error);
enum rxpool_stats_status root_read(struct rxpool_stats *s, struct rxpool_stats_error *error);
/* Reads the root at `address`, which must be the range's of that number. */
enum rxpool_stats_status root_read_at(struct rxpool_stats *s, uint64_t address, uint32_t number,
                                      struct root *out, struct rxpool_stats_error *error);
enum rxpool_stats_status scan_slabs(struct rxpool_stats *s, enum pass_kind kind,
                                    struct rxpool_stats_error *error);
enum rxpool_stats_status scan_counters(struct rxpool_stats *s, enum pass_kind kind,
                                       struct rxpool_stats_error *error);
/* Sums the pass and the retired figures into the tallies. */
enum rxpool_stats_status settle(struct rxpool_stats *s, enum pass_kind kind,
                                struct rxpool_stats_error *error);
/* Bytes of own slabs, from both passes. */
void sum_slab_bytes(struct rxpool_stats *s);
enum rxpool_stats_status make_rows(struct rxpool_stats *s, struct rxpool_stats_error *error);

enum rxpool_stats_status stats_short_of_memory(struct rxpool_stats_error *error);
/* The target's memory at `address`, which holds `what`, cannot be read. */
enum rxpool_stats_status stats_unreadable(struct rxpool_stats *s, const char *what,
                                          uint64_t address, struct rxpool_stats_error *error);
/* Opens what s->memory is; on failure everything is given back. */
enum rxpool_stats_status stats_start(const struct memory *memory, struct rxpool_stats **stats,
                                     struct rxpool_stats_error *error);

static inline struct tally *stats_tally(struct rxpool_stats *s, uint32_t account) {
    return (struct tally *)s->tallies.start + account;
}

static inline struct pass *stats_pass(struct rxpool_stats *s, enum pass_kind kind) {
    return kind == PASS_FREES ? &s->frees : &s->allocs;
}

#endif
