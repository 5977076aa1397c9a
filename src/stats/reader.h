/*
 * The reader of pool tables. One read goes like this (why: layout.h, "Figures"):
 *
 *   root          where everything is, and how far it is used
 *   slabs         which are own ones, of which accounts
 *   settle        the accounts' retired figures, and allocs, frees and pushes of each of those slabs, copied together
 *   counters      and flows of all heaps: first all frees and bytes_out, then all allocs and bytes_in
 *   rows          accounts of one tag, pool type and site become one row
 *
 * A block on an own slab is counted in and out on that slab, so each slab's figures are taken in
 * one go and neither is ever far from the other, even where the reader is held up. Where slabs share
 * a list the leader counts allocations for all and each its own pushes, so leaders are read last. One
 * on a mixed slab, or a span, may go out through another heap's counters than it came in by, so of
 * counters all frees are read before the first alloc. Thus no row ever shows more frees than allocs.
 * Each figure held at some instant within the read:
 *
 *   - A slab is found when its generation was the same, and even, before and after.
 *   - `settle` reads the account and the slabs that were found in a window in which no fold of the
 *     account begins or ends, nor moves figures between them. A slab still of its generation counts
 *     as it was then. One that moved on is in the account's retired figures, or its leader's, which
 *     were read in that window, and counts only there. A slab that came and went meanwhile is in them
 *     too. So nothing counts twice, and nothing that lived when the read began is missing. A fold adds
 *     as many frees as allocs.
 *   - A heap's counters and flows are read together, again where a flow was carried meanwhile.
 *   - Windows are tried a bounded number of times; then the account is torn. In a core once.
 */
#ifndef RXPOOL_STATS_READER_H
#define RXPOOL_STATS_READER_H

#include "ex/layout.h"
#include "stats/memory.h"

/* A slab of one account as it was found. */
struct seen {
    uint64_t address; /* of its descriptor */
    uint32_t generation;
    uint32_t next; /* index + 1 of the account's next one */
    bool leads;    /* others that share its list: is read behind them */
};

/* What a read gathers for one account. */
struct tally {
    uint64_t allocs, frees, bytes_in, bytes_out;
    int64_t held_blocks, held_bytes, overhead_bytes;
    uint64_t quota_charged;
    uint32_t first_seen; /* index + 1 in rxpool_stats.seen */
    uint32_t tag, site, type;
    bool torn;
};

struct rxpool_stats {
    struct area self;
    struct memory memory;
    uint64_t root_address;
    struct root root;     /* the first range's, as of this read */
    struct area tallies;  /* struct tally[ACCOUNTS_MAX] */
    struct area accounts; /* two struct account[ACCOUNTS_MAX], before and after a window */
    struct area seen;     /* struct seen[] */
    struct area slabs;    /* struct slab for each of them, as of a window */
    struct area pieces;   /* struct piece for each, and two */
    uint32_t seen_count;
    struct area rows;  /* struct rxpool_stats_row[] */
    struct area names; /* their texts; offset 0 is "" */
    size_t names_used;
    struct area name_of_site; /* what is known of each site */
    struct rxpool_stats_summary summary;
};

/* Every one of these fails with a status and fills in *error. */
enum rxpool_stats_status root_find(struct rxpool_stats *s, struct rxpool_stats_error *error);
enum rxpool_stats_status root_read(struct rxpool_stats *s, struct rxpool_stats_error *error);
/* Reads the root at `address`, which must be the range's of that number. */
enum rxpool_stats_status root_read_at(struct rxpool_stats *s, uint64_t address, uint32_t number,
                                      struct root *out, struct rxpool_stats_error *error);
enum rxpool_stats_status scan_slabs(struct rxpool_stats *s, struct rxpool_stats_error *error);
enum rxpool_stats_status settle(struct rxpool_stats *s, struct rxpool_stats_error *error);
/* Behind settle, which begins the tallies' sums. */
enum rxpool_stats_status scan_counters(struct rxpool_stats *s, struct rxpool_stats_error *error);
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

#endif
