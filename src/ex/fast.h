/*
 * The fast paths, inlined into the exported functions of pool.c and malloc.c.
 *
 *   allocate: one hash, one compare, and four dependent loads: table entry -> bins -> slab -> block
 *   free:     one range compare, one owner compare, the block-start test, one tag compare; one dependent
 *             load (the descriptor lies at a computed address)
 *
 * Neither takes a lock or writes a line that another thread writes. Whatever is unusual, a first call of a
 * thread, a raised IRQL, a cold tag, another thread's block, a wrong tag, fails one of the compares above
 * and is told to go slow; there is no test for it here.
 */
#ifndef RXPOOL_EX_FAST_H
#define RXPOOL_EX_FAST_H

#include "ex/state.h"

/* One account's bins in one heap. current[c] is never null: a bin without a slab points to engine_no_slab. */
struct heap;
struct binset {
    struct slab *current[CLASSES_MAX];
    uint32_t partial[CLASSES_MAX]; /* slab ids: slabs in service with room, most room first */
    uint64_t own;                  /* bit c: class c of this account has slabs of its own */
    uint32_t account;              /* 0 for the mixed set */
    uint32_t layout;
    struct binset *next; /* all of a heap's */
};

struct table_entry {
    _Atomic uint64_t alias;
    struct binset *bins;
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
    bool ended;                /* past its exit hook */
    bool slow;                 /* fast paths are off: raised IRQL */
    bool resting;              /* and for a while: heap_rest */
    struct heap *heap;         /* null: none yet, or past the exit hook */
};

#define THREAD_NO_ID 0xFFFFFFFFu

extern __thread struct thread_state engine_thread __attribute__((tls_model("initial-exec")));
extern struct table_entry engine_miss;
extern struct slab engine_no_slab;

/* Owner frees that hit slab.event: empty, no longer full, or time to look. */
void slab_free_event(struct slab *slab);

RXP_INLINE size_t table_offset(uint64_t alias, uint64_t mask) {
    return (size_t)((alias * 0x9E3779B97F4A7C15u) >> 48) & mask;
}

RXP_INLINE void *fast_take(struct slab *slab) {
    struct free_block *block = slab->free;
    if (RXP_UNLIKELY(block == NULL))
        return NULL;
    struct free_block *next = block->next;
    slab->free = next;
    /* The next allocation here reads its link: a tenth off random replacement of 100,000 blocks, 4% on one block's loop. */
    RXP_PREFETCH(next);
    /* Release: whoever learns of the block finds it counted (pairs with a reader's acquire of frees). */
    atomic_store_explicit(&slab->allocs, STATE_LOAD(&slab->allocs) + 1, memory_order_release);
    return block;
}

RXP_INLINE void *fast_alloc(uint64_t alias, size_t size, enum class_layout layout) {
    const struct thread_state *t = &engine_thread;
    const struct table_entry *e =
        (const struct table_entry *)((const char *)t->table + table_offset(alias, t->mask));

    if (RXP_UNLIKELY(STATE_LOAD(&e->alias) != alias || size > SLAB_BLOCK_MAX))
        return NULL;
    return fast_take(e->bins->current[engine_classes.of[layout][(size + 15) >> 4]]);
}

/* NULL: call engine_alloc. */
RXP_INLINE void *engine_alloc_fast(uint64_t alias, size_t size) {
    return fast_alloc(alias, size, LAYOUT_POOL);
}

RXP_INLINE void *engine_alloc_fast_dense(uint64_t alias, size_t size) {
    return fast_alloc(alias, size, LAYOUT_DENSE);
}

/* The descriptor of an address in the first range's used part, else NULL. */
RXP_INLINE struct slab *fast_slab(const void *address) {
    uintptr_t offset = (uintptr_t)address - engine_first.slab_area;
    if (RXP_UNLIKELY(offset >= STATE_LOAD(&engine_first.size)))
        return NULL;
    return engine_first.slabs + (offset >> SLAB_SHIFT);
}

/* True where `address` is the start of a block as the slab lays them out. */
RXP_INLINE bool slab_starts_block(const struct slab *slab, const void *address) {
    uint32_t within = (uint32_t)(uintptr_t)address & slab->unit_mask;
    return class_starts_block(slab->reciprocal, slab->limit, within);
}

RXP_INLINE void fast_give(struct slab *slab, void *block) {
    struct free_block *b = block;
    uint64_t frees = STATE_LOAD(&slab->frees) + 1;

    b->next = slab->free;
    slab->free = b;
    atomic_store_explicit(&slab->frees, frees, memory_order_release);
    if (RXP_UNLIKELY(frees == slab->event))
        slab_free_event(slab);
}

/* False: call engine_free. `tag` 0 means any. */
RXP_INLINE bool engine_free_fast(void *block, uint32_t tag) {
    struct slab *slab = fast_slab(block);

    if (RXP_UNLIKELY(slab == NULL || STATE_LOAD(&slab->owner) != engine_thread.id))
        return false;
    if (RXP_UNLIKELY(!slab_starts_block(slab, block) || (tag != 0 && tag != slab->tag)))
        return false;
    fast_give(slab, block);
    return true;
}

#endif
