/*
 * The second paths: blocks on mixed slabs, whose accounts the fast paths do not serve. Inlined behind fast.h's.
 *
 *   allocate: 46 instructions with those of the fast path that missed: who stands in the table entry, the bin of the
 *             class, the block; the block's account into the side array, and one addition to the account's flow
 *   free:     51: the compare with the owner of mixed slabs, the block-start test, the side array's entry, the flow
 *   a remote free: 96, the compare and swap among them
 *
 * tests/engine/count.py holds these, too. What a working set larger than the caches pays for is loads: allocate has 15 of
 * them and free 17 (10 and 12 on the fast paths), and each one more is one call less in flight (docs/DESIGN.md).
 *
 * As on the fast paths there is no lock, no locked instruction and no line that another thread
 * writes, and what is unusual fails a compare: under strict=1, where a repeated free must be told
 * even of two threads, mixed slabs' owner ids do not match here either.
 */
#ifndef RXPOOL_EX_COLD_H
#define RXPOOL_EX_COLD_H

#include "ex/slab.h"

/* True when the account is to be looked at. Released: whoever learns of the block finds it counted. */
RXP_INLINE bool flow_count_in(struct flow *flow, uint32_t bytes) {
    uint64_t in = STATE_LOAD(&flow->in) + FLOW_OF(bytes);

    atomic_store_explicit(&flow->in, in, memory_order_release);
    return FLOW_BLOCKS(in) % LOOK_EACH == 0;
}

/* True when the flow is to be carried. */
RXP_INLINE bool flow_count_out(struct flow *flow, uint32_t bytes) {
    uint64_t out = STATE_LOAD(&flow->out) + FLOW_OF(bytes);

    atomic_store_explicit(&flow->out, out, memory_order_release);
    return FLOW_FULL(out);
}

/* As slab_starts_block, in one load less. */
RXP_INLINE bool cold_starts_block(const struct slab *slab, const void *address) {
    uint32_t both = slab->mask_and_limit, within = (uint32_t)(uintptr_t)address & (uint16_t)both;

    return class_starts_block(slab->reciprocal, both >> 16, within);
}

RXP_INLINE _Atomic uint16_t *side_of(const struct slab *slab, const void *block) {
    uint64_t offset = (uintptr_t)block & (SLAB_SIZE - 1);
    return (_Atomic uint16_t *)slab->side + (offset * slab->reciprocal >> 32);
}

/* Looks at the account that was just given `block`, which it returns. */
void *cold_look(void *block, uint64_t alias, uint64_t who);
/* The free that fills an account's flow. */
void cold_carry(struct slab *slab, void *block, uint32_t account);

/*
 * A block of the mixed slab that its class's bin allocates from, for `who`. NULL: call engine_alloc_known. Where *look,
 * cold_look is to be called with the block: last, or the paths here would need registers saved.
 */
RXP_INLINE void *cold_take(uint64_t who, size_t size, enum class_layout layout, bool *look) {
    if (RXP_UNLIKELY(size > slab_block_max(layout)))
        return NULL;
    struct slab *slab =
        engine_thread.heap->mixed[layout].current[engine_classes.of[layout][(size + 15) >> 4]];
    struct free_block *block = fast_take(slab);
    if (RXP_UNLIKELY(block == NULL))
        return NULL;
    STATE_STORE(side_of(slab, block), WHO_ACCOUNT(who));
    *look = flow_count_in(WHO_FLOW(who), slab->block_size);
    return block;
}

/* The account of `alias` where its blocks of this size are on mixed slabs; 0 where they are not, or it is not known. */
RXP_INLINE uint64_t cold_who(const struct table_entry *e, uint64_t alias, size_t size,
                             enum class_layout layout) {
    uint64_t seen = STATE_LOAD(&e->alias);

    if (seen == alias)
        return size > slab_block_max(layout) || e->bins->warm ||
                       e->bins->own >> engine_classes.of[layout][(size + 15) >> 4] & 1
                   ? 0
                   : e->bins->who;
    if (seen + alias == 0)
        return e->who;
    e = (const struct table_entry *)NEIGHBOUR((uintptr_t)e);
    return STATE_LOAD(&e->alias) + alias == 0 ? e->who : 0;
}

/* NULL: call engine_alloc_known. `e` is what fast_entry says. */
RXP_INLINE void *cold_alloc(const struct table_entry *e, uint64_t alias, size_t size,
                            enum class_layout layout) {
    uint64_t who = cold_who(e, alias, size, layout);
    bool look = false;
    void *block = RXP_LIKELY(who != 0) ? cold_take(who, size, layout, &look) : NULL;

    return RXP_UNLIKELY(look) ? cold_look(block, alias, who) : block;
}

/*
 * A block of a mixed slab of the calling thread's; `owner` is the slab's. False: call engine_free. `tag` 0 means any.
 */
RXP_INLINE bool cold_free(struct slab *slab, uint32_t owner, void *block, uint32_t tag) {
    if (RXP_UNLIKELY(owner != engine_thread.mixed_id || !cold_starts_block(slab, block)))
        return false;
    _Atomic uint16_t *side = side_of(slab, block);
    uint32_t account = STATE_LOAD(side);
    if (RXP_UNLIKELY(account == 0))
        return false;
    if (RXP_UNLIKELY(tag != 0 && tag != engine_first.tags[account]))
        return false;
    STATE_STORE(side, 0);
    /* Counted before it can be allocated again: a reader finds no free of a block without its allocation. */
    if (RXP_UNLIKELY(flow_count_out(&engine_thread.heap->flows[account], slab->block_size)))
        cold_carry(slab, block, account);
    else
        fast_give(slab, block);
    return true;
}

/*
 * A block of another thread's own slab: pushed, by threads without a heap too. Not at a raised IRQL, where a free has rules,
 * nor where no call may go quickly. False: call engine_free. `tag` 0 means any.
 */
RXP_INLINE bool cold_push(struct slab *slab, void *block, uint32_t tag) {
    const struct thread_state *t = &engine_thread;

    if (RXP_UNLIKELY(STATE_LOAD(&slab->kind) != SLAB_OWN || t->slow || engine_slow_always))
        return false;
    if (RXP_UNLIKELY(t->heap != NULL && STATE_LOAD(&slab->owner) == t->heap->public.id))
        return false;
    if (RXP_UNLIKELY(!slab_starts_block(slab, block) || (tag != 0 && tag != slab->tag)))
        return false;
    slab_push(slab, block);
    return true;
}

#endif
