/*
 * Heaps: what one thread at a time allocates from. A thread takes a heap at its first call and leaves it whole,
 * blocks and all, to the next new thread; heaps are never freed, and thread ids play no part.
 */
#ifndef RXPOOL_EX_HEAP_H
#define RXPOOL_EX_HEAP_H

#include "ex/fast.h"

#define HEAT_ENTRIES 2048u
#define CHUNK_ACCOUNTS 256u
#define SET_CHUNKS (ACCOUNTS_MAX / CHUNK_ACCOUNTS)
#define TABLE_LEAST 256u
#define TABLE_MOST 32768u
#define TABLE_KEPT 1024u /* entries: a larger one is dropped with an emptied pool's memory */

/* How often an account came by lately, of the allocations that are looked at: decides promotion, never accounting. */
struct heat_entry {
    uint32_t account;
    uint32_t heat;
};

/*
 * All of it belongs to the thread that holds the heap, but for public, which anybody reads, and notify, which anybody
 * pushes to. While state is HEAP_FREE all of it belongs to the holder of the heaps lock.
 */
struct heap {
    struct heap_public public;
    RXP_ALIGNED(64) _Atomic uint32_t notify; /* slab ids through slab.notify_next */
    RXP_ALIGNED(64) struct table_entry *table;
    uint64_t table_mask;
    uint32_t table_room; /* entries that there is memory for where it lies */
    uint32_t table_conflicts;
    uint32_t slabs; /* first of all its slabs, through heap_next */
    uint32_t slab_count;
    uint32_t
        idle_pages; /* dirty pages of those that are SLAB_IDLE, as of when they were found so */
    uint32_t idle_slabs;   /* how many those are */
    uint32_t seldom_pages; /* of current slabs that may be empty for a while before it is seen */
    uint32_t lonely_slabs; /* of them, those with hardly a block */
    bool crowded;          /* there were too many of those since the last sweep */
    uint32_t looks;        /* events since the clock was last asked */
    struct heap *next_free;
    struct binset *sets;                   /* every binset, mixed ones included */
    struct binset mixed[2];                /* by layout */
    struct binset **set_chunk[SET_CHUNKS]; /* [CHUNK_ACCOUNTS], by account */
    uint32_t looks_in_window;
    uint32_t set_count;
    uint64_t next_sweep; /* ms */
    uint64_t ticked_at;  /* ms: when it last asked the clock */
    uint64_t rested_at;  /* ms: when a call last came by while it rests */
    uint32_t filled;     /* slabs from which it had the last block, ever */
    uint32_t rest_until; /* so many, and it rests no longer */
    uint32_t rest_calls; /* allocations since it began to rest */
    uint64_t rest_again; /* ms: when it goes on with that; 0 for not */
    /* special=1/N: how many allocations from now the next one is due, and how many are. */
    int64_t sample_left;
    uint32_t sample_due, sample_skip; /* skip: calls to let pass first */
    uint64_t sample_random;
    uint64_t sample_clock, sample_ran; /* ms, of the clock and of the thread, when it last asked */
    int64_t sample_ns;                 /* of the thread's time, what samples may take now */
    struct heat_entry heat[HEAT_ENTRIES];
    struct flow flows[]; /* [account_capacity]; behind the rest, so that one load leads to them */
};

/* The calling thread's heap, taken now if it has none; null past its end or when memory is short. */
struct heap *heap_mine(void);
/*
 * The calling thread's next allocations take the slow path, which gives back what has been idle long enough, until no more
 * than may stay is idle. For a pool that was just emptied: a later call might else never look. Whoever fills whole slabs
 * has other slow paths, and rests no longer; who makes many calls without it pauses in between.
 */
void heap_rest(void);
/* An allocation came by while the thread's heap rests. */
void heap_rested(struct heap *heap);
/*
 * The calling thread's next allocation takes the slow path and looks at the clock: where nothing has come by for purge=
 * milliseconds, what is empty goes back. For slabs that are looked at seldom, and may all be empty when the last look is over.
 */
void heap_peek(struct heap *heap);
/* That allocation came by. */
void heap_peeked(struct heap *heap);
/* The calling thread's allocations take the slow path until it is told otherwise; its frees do not. */
void heap_miss(const struct heap *heap, bool miss);
/* The heap of threads past their end; its user holds the late lock. Null when memory is short. */
struct heap *heap_late(void);
struct heap *heap_by_id(uint32_t id);
/* The first of all heaps, newest first, by public.next_heap. */
struct heap *heap_first(void);

/* The figures of `account` on mixed slabs and in spans in this heap. */
RXP_INLINE struct counters *heap_counters(const struct heap *heap, uint32_t account) {
    return (struct counters *)heap->public.counters + account;
}
/* Shows them to readers; before they are first written. */
void heap_show_counters(struct heap *heap, uint32_t account);
/* The binset of `account`, or null where it has none (all its blocks are on mixed slabs). */
RXP_INLINE struct binset *heap_set(const struct heap *heap, uint32_t account) {
    struct binset **chunk = heap->set_chunk[account / CHUNK_ACCOUNTS];
    return chunk == NULL ? NULL : chunk[account % CHUNK_ACCOUNTS];
}
/* Makes it; null when memory is short or the heap holds enough of them. */
struct binset *heap_set_make(struct heap *heap, uint32_t account, enum class_layout layout);
/* The binset that `slab` of this heap belongs to. */
RXP_INLINE struct binset *heap_set_of(struct heap *heap, const struct slab *slab) {
    return STATE_LOAD(&slab->kind) == SLAB_MIXED ? &heap->mixed[slab->layout]
                                                 : heap_set(heap, STATE_LOAD(&slab->account));
}
/* What this heap's thread finds for `alias` from now on: the account's set, or where that is null, who it is. */
void heap_install(struct heap *heap, uint64_t alias, uint32_t account, struct binset *set);
/* The account that this heap's thread has installed under `alias`; 0 for none. */
uint32_t heap_known(const struct heap *heap, uint64_t alias);
/*
 * The set of an account that has none, where it is the first that the heap serves; else null. In most threads it stays the
 * only one, and mixed slabs that nobody shares would keep their pages beside those that it earns.
 */
struct binset *heap_first_set(struct heap *heap, uint32_t account);
/*
 * Looks at an account, each LOOK_EACH-th block that it was given from mixed slabs: whether its classes may earn slabs of
 * their own, and whether its flow is to be carried. The alias that it came by leads to its set from then on; 0 for none.
 */
void heap_look(struct heap *heap, uint64_t alias, uint32_t account);
/* True where the class of this set has slabs of its own, or has earned them with this call. */
bool heap_own(struct binset *set, unsigned class);
/* Its slabs are gone: to be earned again. */
void heap_disown(struct binset *set, unsigned class);
/* A small block of `account` in or out, on a mixed slab. True when the account is to be looked at. */
bool flow_in(struct heap *heap, uint32_t account, uint32_t bytes);
void flow_out(struct heap *heap, uint32_t account, uint32_t bytes);
/* Carries an account's flow into its counters. */
void flow_carry(struct heap *heap, uint32_t account);

/* Counts a span, or a block between guard pages, in or out for the calling thread. */
void count_alloc(struct heap *heap, uint32_t account, uint64_t bytes);
void count_free(struct heap *heap, uint32_t account, uint64_t bytes);
/* A block that grew or shrank where it lies. */
void count_resize(struct heap *heap, uint32_t account, uint64_t old_bytes, uint64_t new_bytes);

/* Fork handlers' part: every heap that another thread held is sealed; the caller's is put right. */
void heaps_after_fork(void);

#endif
