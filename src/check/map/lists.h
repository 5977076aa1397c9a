/* What the map's registry does for its quarantine, and for the quick ways in. */
#ifndef RXPOOL_CHECK_MAP_LISTS_H
#define RXPOOL_CHECK_MAP_LISTS_H

#include "check/map/context.h"

/* The record of exactly this address, in whatever state; NULL for none. */
struct record *lists_lookup(uint64_t block);
/* Puts a DEAD record, taken off its queue, among the unused of a context that was entered. */
void lists_recycle(struct context *x, uint32_t number);

/* The number of a record that nobody uses, off those of a context that was entered; 0 where it has none. */
RXP_INLINE uint32_t lists_unused(struct context *x) {
    uint32_t n = x->unused;
    if (RXP_UNLIKELY(n != 0)) {
        x->unused = record_next(record_at(n));
        return n;
    }
    return RXP_LIKELY(x->fresh != x->fresh_end) ? x->fresh++ : 0;
}

/* The latest of registry_mark(). */
extern RXP_HIDDEN _Atomic uint32_t lists_mark;
/* Inside the context, which has no sequence number left. */
void lists_refill_sequence(struct context *x);

/* The part of it that is new each time: a block of the same address and kind may have been here before. */
RXP_INLINE void lists_begin(struct record *r, uint32_t site, uint32_t time, uint64_t state_word,
                            struct context *x) {
    if (RXP_UNLIKELY(x->sequence == x->sequence_end))
        lists_refill_sequence(x);
    context_set_clock(x, time);
    record_put(r, RECORD_ALLOC, record_pair(site, x->thread));
    record_put(r, RECORD_WHEN, record_pair(time, ++x->sequence));
    record_put(r, RECORD_FREE, atomic_load_explicit(&lists_mark, memory_order_relaxed));
    record_set_seen(r, 0);
    record_put(r, RECORD_STATE, state_word);
}

/*
 * Enters a block: in a record that is nobody's, or was of the block that was here before. Inside the context. The words are
 * put together in registers: the caller has just stored the fields one by one, and a word read over two such stores
 * waits until both have reached memory.
 */
RXP_INLINE void lists_write(struct record *r, const struct record_info *info, struct context *x) {
    record_put(r, RECORD_BLOCK, info->block);
    record_put(r, RECORD_SIZE, info->size);
    record_put(r, RECORD_TAG, record_pair(info->tag, info->back));
    lists_begin(r, info->alloc_site, info->time, record_state_word(info, RECORD_LIVE), x);
}

#endif
