/*
 * Heaps: what one thread at a time allocates from. A thread takes a heap at its first call and leaves it whole,
 * blocks and all, to the next new thread; heaps are never freed, and thread ids play no part.
 */
#ifndef RXPOOL_EX_HEAP_H
#define RXPOOL_EX_HEAP_H

#include "ex/fast.h"

#define COLD_ENTRIES 512u
#define HEAT_ENTRIES 2048u
#define TABLE_LEAST 256u
#define TABLE_MOST 4096u

/* Accounts that go to mixed slabs, by alias: saves the search for the account. */
struct cold_entry {
    _Atomic uint64_t alias;
    uint32_t account;
};

/* How often an (account, class) came by lately, approximately: decides promotion, never accounting. */
struct heat_entry {
    uint32_t who; /* account << 8 | layout << 7 | class */
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
    uint32_t table_conflicts;
    uint32_t slabs; /* first of all its slabs, through heap_next */
    uint32_t slab_count;
    uint32_t
        idle_pages; /* dirty pages of those that are SLAB_IDLE, as of when they were found so */
    uint32_t looks; /* events since the clock was last asked */
    struct heap *next_free;
    struct binset *sets; /* every binset, mixed ones included */
    struct binset *mixed[2];
    struct binset **set_chunk[COUNTER_CHUNKS]; /* [CHUNK_ACCOUNTS], by account */
    uint32_t cold_since_decay;
    uint32_t set_count;
    uint64_t next_sweep; /* ms */
    struct cold_entry cold[COLD_ENTRIES];
    struct heat_entry heat[HEAT_ENTRIES];
};

/* The calling thread's heap, taken now if it has none; null past its end or when memory is short. */
struct heap *heap_mine(void);
/*
 * The calling thread's next calls take the slow path, which gives back what has been idle long enough, until no more
 * than may stay is idle. For a pool that was just emptied: a later call might else never look.
 */
void heap_rest(void);
/* A call came by while the thread's heap rests. */
void heap_rested(struct heap *heap);
/* The heap of threads past their end; its user holds the late lock. Null when memory is short. */
struct heap *heap_late(void);
struct heap *heap_by_id(uint32_t id);
/* The first of all heaps, newest first, by public.next_heap. */
struct heap *heap_first(void);

/* The figures of `account` on mixed slabs and in spans in this heap; null when memory is short. */
struct counters *heap_counters(struct heap *heap, uint32_t account);
/* The binset of `account`, or null where it has none (all its blocks are on mixed slabs). */
struct binset *heap_set(const struct heap *heap, uint32_t account);
/* Makes it; null when memory is short or the heap holds enough of them. */
struct binset *heap_set_make(struct heap *heap, uint32_t account, enum class_layout layout);
/* The binset that `slab` of this heap belongs to. */
struct binset *heap_set_of(struct heap *heap, const struct slab *slab);
/* Makes `alias` fast for this heap's thread. */
void heap_install(struct heap *heap, uint64_t alias, struct binset *set);
/* Counts an allocation of a cold account; true when it has earned slabs of its own. */
bool heap_heat(struct heap *heap, uint32_t account, enum class_layout layout, unsigned class);

/* Counts a block in or out for the calling thread. */
void count_alloc(struct heap *heap, uint32_t account, uint64_t bytes);
void count_free(struct heap *heap, uint32_t account, uint64_t bytes);
/* A block that grew or shrank where it lies. */
void count_resize(struct heap *heap, uint32_t account, uint64_t old_bytes, uint64_t new_bytes);

/* Fork handlers' part: every heap that another thread held is sealed; the caller's is put right. */
void heaps_after_fork(void);
void heaps_init(void);

#endif
