/*
 * The second paths: blocks on mixed slabs, whose accounts the fast paths do not serve. Inlined behind fast.h's.
 *
 *   allocate: 46 instructions with those of the fast path that missed: who stands in the table entry, the bin of the
 *             class, the block; the block's account into the side array, and one addition to the account's flow
 *   free:     41: the compare with the owner of mixed slabs; the side array's entry, which tells a live block from what
 *             is none and whose it is; the flow
 *   a remote free: 95, the compare and swap among them
 *
 * tests/engine/count.py holds these, too. What a working set larger than the caches pays for is loads: allocate has 15 of
 * them and free 17 (10 and 13 on the fast paths), and each one more is one call less in flight (docs/DESIGN.md).
 *
 * As on the fast paths there is no lock, no locked instruction and no line that another thread
 * writes, and what is unusual fails a compare: under strict=1, where a repeated free must be told
 * even of two threads, mixed slabs' owner ids do not match here either.
 */
#ifndef RXPOOL_EX_COLD_H
#define RXPOOL_EX_COLD_H

#include "ex/slab.h"

/* By bytes: compilers then do in one addition what heap->flows[account] takes several for. */
RXP_INLINE struct flow *flow_at(struct heap *heap, size_t offset) {
    return (struct flow *)((uintptr_t)heap->flows + offset);
}

/* True when the account is to be looked at. Released: whoever learns of the block finds it counted. */
RXP_INLINE bool flow_count_in(struct flow *flow, uint64_t unit) {
    return RXP_COUNTER_ADD_CARRIES(&flow->in, unit);
}

/* True when the flow is to be carried. */
RXP_INLINE bool flow_count_out(struct flow *flow, uint64_t unit) {
    return RXP_COUNTER_ADD_NEGATIVE(&flow->out, FLOW_OUT(unit));
}

RXP_INLINE _Atomic uint32_t *side_of(const struct slab *slab, const void *block) {
    uint64_t offset = (uintptr_t)block & (SLAB_SIZE - 1);
    return (_Atomic uint32_t *)slab->side + (offset * slab->reciprocal >> 32);
}

/* Of a live block of `account`. */
RXP_INLINE uint32_t side_entry(uint32_t account, const void *block) {
    return account << SIDE_SHIFT | (uint16_t)(uintptr_t)block;
}

/* Looks at the account that was just given `block`, which it returns. */
void *cold_look(void *block, uint64_t alias, uint64_t who);
/* The free that fills an account's flow. */
void cold_carry(struct slab *slab, void *block, uint32_t who);

/*
 * A block of the mixed slab that its class's bin allocates from, for `who`. NULL: call engine_alloc_known. Where *look,
 * cold_look is to be called with the block: last, or the paths here would need registers saved.
 */
RXP_INLINE void *cold_take(uint64_t who, size_t size, enum class_layout layout, bool *look) {
    if (RXP_UNLIKELY(size > slab_block_max(layout)))
        return NULL;
    struct heap *heap = engine_thread.heap;
    struct slab *slab = heap->mixed[layout].current[engine_classes.of[layout][(size + 15) >> 4]];
    struct free_block *block = fast_take(slab);
    if (RXP_UNLIKELY(block == NULL))
        return NULL;
    STATE_STORE(side_of(slab, block), (uint32_t)who | (uint16_t)(uintptr_t)block);
    *look = flow_count_in(flow_at(heap, WHO_FLOW_OFFSET(who)), slab->flow_unit);
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
RXP_INLINE bool cold_free(const struct slab_label *label, uint32_t owner, void *block,
                          uint32_t tag) {
    if (RXP_UNLIKELY(owner != engine_thread.mixed_id))
        return false;
    struct slab *slab = label_slab(label);
    _Atomic uint32_t *side = side_of(slab, block);
    uint32_t entry = STATE_LOAD(side);
    if (RXP_UNLIKELY((uint16_t)entry != (uint16_t)(uintptr_t)block))
        return false;
    if (RXP_UNLIKELY(tag != 0 && tag != engine_first.tags[WHO_ACCOUNT(entry)]))
        return false;
    STATE_STORE(side, SIDE_FREE);
    /* Counted before it can be allocated again: a reader finds no free of a block without its allocation. */
    if (RXP_UNLIKELY(flow_count_out(
            flow_at(engine_thread.heap, (size_t)WHO_ACCOUNT(entry) * sizeof(struct flow)),
            slab->flow_unit)))
        cold_carry(slab, block, entry);
    else
        fast_give(slab, block);
    return true;
}

/*
 * A block of another thread's own slab: pushed, by threads without a heap too. Not at a raised IRQL, where a free has rules,
 * nor where no call may go quickly. False: call engine_free. `tag` 0 means any.
 */
RXP_INLINE bool cold_push(const struct slab_label *label, uint32_t owner, void *block,
                          uint32_t tag) {
    const struct thread_state *t = &engine_thread;

    /* Of its owner's own slabs alone a label says no more than whose they are. */
    if (RXP_UNLIKELY(owner == 0 || (owner & OWNER_SLOW) || t->slow || engine_slow_always))
        return false;
    if (RXP_UNLIKELY(t->heap != NULL && owner == t->heap->public.id))
        return false;
    if (RXP_UNLIKELY(!label_starts_block(label, block) || (tag != 0 && tag != label->tag)))
        return false;
    slab_push(label_slab(label), owner, block);
    return true;
}

#endif
