/* What both implementations of quarantine.h share: the rules of a free. */
#ifndef RXPOOL_CHECK_TAKE_H
#define RXPOOL_CHECK_TAKE_H

#include "base/options.h"
#include "check/quarantine.h"

#define RXPOOL_CHECKED 1
#include <ntrxdef.h>

#define TAKE_PAGED 1u /* in a POOL_TYPE, and the index of a queue */

/* What a block in the quarantine holds back: its memory, and its record, which for small blocks is the larger part. */
#define TAKE_RECORD_BYTES 64u

RXP_INLINE uint64_t take_held_bytes(const struct record_info *info) {
    return info->size + info->back + info->tail + TAKE_RECORD_BYTES;
}

/* For certain. Blocks of a heap have one tag, and may have an account for each module that asked for some. */
RXP_INLINE bool take_same_account(const struct record_info *a, const struct record_info *b) {
    return a->tag == b->tag && a->type == b->type && a->back == b->back &&
           a->size + a->tail == b->size + b->tail &&
           ((a->family | b->family) == 0 || a->alloc_site == b->alloc_site);
}

/* Nothing unusual: most frees need no more questions than these. */
RXP_INLINE bool take_is_common(const struct record_info *info, const struct take *t) {
    return info->kind == RECORD_POOL && info->state == RECORD_LIVE && t->irql <= APC_LEVEL &&
           t->tag == 0 && take_held_bytes(info) <= t->held_most;
}

RXP_INLINE bool take_same_tag(uint32_t given, uint32_t tag) {
    return ((given ^ tag) & ~(uint32_t)PROTECTED_POOL) == 0;
}

/* What stands in the way of a free of this record. */
RXP_INLINE enum take_verdict take_judge(const struct record_info *info, const struct take *t) {
    if (RXP_UNLIKELY(info->state != RECORD_LIVE))
        return TAKE_NOT_LIVE;
    if (RXP_UNLIKELY(info->kind == RECORD_SIGNED))
        return TAKE_SIGNED;
    if (t->tag != 0 && !take_same_tag(t->tag, info->tag))
        return TAKE_WRONG_TAG;
    if (RXP_UNLIKELY(t->irql > (info->type & TAKE_PAGED ? APC_LEVEL : t->irql_most)))
        return TAKE_WRONG_IRQL;
    if (RXP_UNLIKELY(info->kind == RECORD_OTHERS || info->kind == RECORD_PLAIN))
        return TAKE_OTHERS;
    if (RXP_UNLIKELY(info->kind == RECORD_GUARDED))
        return TAKE_DIRECT; /* the pool keeps its pages, where nobody can touch them */
    return RXP_LIKELY(take_held_bytes(info) <= t->held_most) ? TAKE_HELD : TAKE_DIRECT;
}

#endif
