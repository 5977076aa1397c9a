/*
 * The fast paths, inlined into the exported functions of pool.c and malloc.c.
 *
 *   allocate: 30 instructions: one hash, one compare, and four dependent loads: table entry -> bins -> slab -> block
 *   free:     27 instructions: one range compare, one owner compare, the block-start test, one tag compare; two
 *             dependent loads: label -> list (the label lies at a computed address)
 *
 * (of ExAllocatePoolWithTag and ExFreePool, gcc 12, x86-64; tests/engine/count.py holds them. Where a working set is
 * larger than the second-level cache, what counts is how many calls the processor has in flight while it waits for
 * memory, and so every load does: docs/DESIGN.md.)
 *
 * Neither takes a lock or writes a line that another thread writes. Whatever is unusual, a first call of a
 * thread, a raised IRQL, a cold tag, another thread's block, a wrong tag, fails one of the compares above
 * and is told to go slow; there is no test for it here.
 */
#ifndef RXPOOL_EX_FAST_H
#define RXPOOL_EX_FAST_H

#include "ex/range.h"
#include "plat/thread_local.h"

/* One account's bins in one heap. current[c] is never null: a bin without a slab points to engine_no_slab. */
struct heap;
struct binset {
    struct slab *current[CLASSES_MAX];
    /* Slab ids, the first and the last of a list: slabs in service with room, empty ones last. */
    uint32_t partial[CLASSES_MAX], partial_last[CLASSES_MAX];
    uint64_t own;     /* bit c: class c of this account has slabs of its own */
    uint64_t who;     /* WHO of its account; 0 for the mixed set */
    uint32_t account; /* 0 for the mixed set */
    uint32_t layout;
    bool warm;                  /* classes of it may earn slabs of their own */
    bool first;                 /* of its heap: all of them have from their first call */
    uint8_t asked[CLASSES_MAX]; /* calls for a class without any, while warm */
    uint8_t slabs[CLASSES_MAX]; /* in service; 255 stays so */
    uint32_t listed[CLASSES_MAX], sharers[CLASSES_MAX]; /* share.h */
    struct binset *next;                                /* all of a heap's */
};

/*
 * What a thread knows of an alias: its account's bins; or, under its negative, that all blocks of its account are on
 * mixed slabs, and then who (cold.h). An empty place's value is its own negative, and leads to bins without slabs:
 * aliases are made of what a caller passes, and may have any value.
 */
#define TABLE_EMPTY ((uint64_t)1 << 63)
#define NEIGHBOUR(offset) ((offset) ^ sizeof(struct table_entry))
/* An account, in the place that it has in side arrays. */
#define WHO(account) ((uint64_t)(account) << SIDE_SHIFT)
#define WHO_ACCOUNT(who) ((uint32_t)((who) >> SIDE_SHIFT))
/* Of its flow in heap.flows: the shift of WHO less that of a flow's 16 bytes. */
#define WHO_FLOW_OFFSET(who) ((who) >> (SIDE_SHIFT - 4))

struct table_entry {
    _Atomic uint64_t alias;
    union {
        struct binset *bins;
        uint64_t who;
    };
};

/* A block that is free: its first word links it. */
struct __attribute__((may_alias)) free_block {
    struct free_block *next;
};

/* What the fast paths need of a thread; at most 64 bytes of static TLS with everything else that ex keeps there. */
struct thread_state {
    struct table_entry *table; /* engine_miss when there is no heap or the fast paths are off */
    uint64_t mask;             /* byte offset mask into table */
    uint32_t id;               /* heap id, or THREAD_NO_ID */
    uint32_t mixed_id;         /* the owner of its mixed slabs, or THREAD_NO_ID */
    bool ended;                /* past its exit hook */
    bool slow;                 /* fast paths are off: raised IRQL */
    bool resting;              /* and for a while: heap_rest */
    bool unguarded : 1;        /* the next block was refused a guard page already: special.h */
    bool exempt : 1;           /* not for fail=: fault_exempt */
    bool peeks : 1;            /* so does its next allocation: heap_peek */
    uint32_t direct_id; /* the heap's, unless the thread is slow or resting: THREAD_NO_ID then */
    struct heap *heap;  /* null: none yet, or past the exit hook */
};

#define THREAD_NO_ID 0xFFFFFFFFu

THREAD_LOCAL_DECLARE(struct thread_state, engine_thread_state);
#define engine_thread THREAD_LOCAL(engine_thread_state)

extern struct table_entry engine_miss[2];

/* The free whose turn it is by slab.freed: empty, no longer full, or time to look. */
void slab_free_event(struct slab *slab);

RXP_INLINE size_t table_offset(uint64_t alias, uint64_t mask) {
    return (size_t)((alias * 0x9E3779B97F4A7C15u) >> 44) & mask;
}

RXP_INLINE void *fast_take(struct slab *slab) {
    struct free_block *block = slab->free;
    if (RXP_UNLIKELY(block == NULL))
        return NULL;
    struct free_block *next = block->next;
    slab->free = next;
    /* The next allocation here reads its link: a tenth off random replacement of 100,000 blocks, 4% on one block's loop. */
    RXP_PREFETCH(next);
    /* Released: whoever learns of the block finds it counted (pairs with a reader's acquire of frees). */
    RXP_COUNTER_ADD(&slab->allocs, 1);
    return block;
}

/* Where the thread's table has the alias, if it has it with bins. */
RXP_INLINE const struct table_entry *fast_entry(uint64_t alias) {
    const struct thread_state *t = &engine_thread;
    return (const struct table_entry *)((const char *)t->table + table_offset(alias, t->mask));
}

/* `e` holds the alias, with bins. */
RXP_INLINE void *fast_alloc_found(const struct table_entry *e, size_t size,
                                  enum class_layout layout) {
    if (RXP_UNLIKELY(size > slab_block_max(layout)))
        return NULL;
    return fast_take(e->bins->current[engine_classes.of[layout][(size + 15) >> 4]]);
}

RXP_INLINE void *fast_alloc(const struct table_entry *e, uint64_t alias, size_t size,
                            enum class_layout layout) {
    return RXP_LIKELY(STATE_LOAD(&e->alias) == alias) ? fast_alloc_found(e, size, layout) : NULL;
}

/* NULL: call engine_alloc. */
RXP_INLINE void *engine_alloc_fast(uint64_t alias, size_t size) {
    return fast_alloc(fast_entry(alias), alias, size, LAYOUT_POOL);
}

RXP_INLINE void *engine_alloc_fast_dense(uint64_t alias, size_t size) {
    return fast_alloc(fast_entry(alias), alias, size, LAYOUT_DENSE);
}

/* NULL: call engine_alloc_aligned. `alignment` is a power of two. */
RXP_INLINE void *engine_alloc_fast_aligned(uint64_t alias, size_t size, size_t alignment) {
    const struct table_entry *e = fast_entry(alias);

    if (RXP_UNLIKELY(STATE_LOAD(&e->alias) != alias || size > SLAB_BLOCK_MAX_DENSE ||
                     alignment > SLAB_BLOCK_MAX_DENSE))
        return NULL;
    return fast_take(e->bins->current[classes_aligned_fast(LAYOUT_DENSE, size, alignment)]);
}

/* The descriptor of an address in the first range's used part, else engine_no_slab, which no thread owns. */
RXP_INLINE struct slab *fast_slab(const void *address) {
    uintptr_t offset = (uintptr_t)address - engine_first.slab_area;
    if (RXP_UNLIKELY(offset >= STATE_LOAD(&engine_first.size)))
        return &engine_no_slab;
    return engine_first.slabs + (offset >> SLAB_SHIFT);
}

/* Its label, or engine_no_label. */
RXP_INLINE const struct slab_label *fast_label(const void *address) {
    uintptr_t offset = (uintptr_t)address - engine_first.slab_area;
    if (RXP_UNLIKELY(offset >= STATE_LOAD(&engine_first.size)))
        return &engine_no_label;
    return engine_first.labels + (offset >> SLAB_SHIFT);
}

/* Of a slab in service, own or mixed. */
RXP_INLINE struct slab *label_slab(const struct slab_label *label) {
    return (struct slab *)(uintptr_t)label->slab;
}

/* True where `address` is the start of a block as the slab lays them out. */
RXP_INLINE bool label_starts_block(const struct slab_label *label, const void *address) {
    uint32_t within = (uint32_t)(uintptr_t)address & label->unit_mask;
    return class_starts_block(label->reciprocal, label->limit, within);
}

/* Of one that was in service. */
RXP_INLINE struct slab_label *slab_label(const struct slab *slab) {
    return (struct slab_label *)(uintptr_t)slab->label;
}

RXP_INLINE bool slab_starts_block(const struct slab *slab, const void *address) {
    return label_starts_block(slab_label(slab), address);
}

/* Whose list an own slab's blocks are on. */
RXP_INLINE struct slab *label_list(const struct slab_label *label) {
    return (struct slab *)(uintptr_t)label->list;
}

RXP_INLINE struct slab *slab_list(const struct slab *slab) {
    return label_list(slab_label(slab));
}

/* To the list of a mixed slab, or of slab_list of an own one. */
RXP_INLINE void fast_give(struct slab *slab, void *block) {
    struct free_block *b = block;

    b->next = slab->free;
    slab->free = b;
    if (RXP_UNLIKELY(!RXP_COUNTER_ADD_CARRIES(&slab->freed, FREED_STEP)))
        slab_free_event(slab);
}

/*
 * False where the slab is not the calling thread's own, or the block or the tag (0 means any) is not the slab's. `owner` is
 * what the label says.
 */
RXP_INLINE bool fast_free(const struct slab_label *label, uint32_t owner, void *block,
                          uint32_t tag) {
    if (RXP_UNLIKELY(owner != engine_thread.id))
        return false;
    if (RXP_UNLIKELY(!label_starts_block(label, block) || (tag != 0 && tag != label->tag)))
        return false;
    fast_give(label_list(label), block);
    return true;
}

/* False: call engine_free. `tag` 0 means any. */
RXP_INLINE bool engine_free_fast(void *block, uint32_t tag) {
    const struct slab_label *label = fast_label(block);
    return fast_free(label, STATE_LOAD(&label->owner), block, tag);
}

#endif
