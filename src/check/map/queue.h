/* The queues of a context's quarantine: for whoever has entered the context. */
#ifndef RXPOOL_CHECK_MAP_QUEUE_H
#define RXPOOL_CHECK_MAP_QUEUE_H

#include "check/block.h"
#include "check/map/context.h"
#include "check/take.h"

/* The time, or one before it: to ask at each free would cost a twentieth of it. */
RXP_INLINE uint32_t queue_clock(struct context *x) {
    if (RXP_UNLIKELY(--x->clock_uses == 0))
        context_set_clock(x, (uint32_t)plat_clock_ms());
    return x->clock;
}

/* Puts a record, which `r` is, at the end. */
RXP_INLINE void queue_link(struct context *x, struct queue *q, struct record *r, uint32_t number) {
    record_set_next(r, 0);
    record_set_seen(r, RECORD_SEEN(SEEN_AT_FREE, queue_clock(x)));
    if (RXP_UNLIKELY(q->head == 0))
        q->head = number;
    else
        record_set_next(record_at(q->tail), number);
    q->tail = number;
}

/* The next block to leave has lain untouched for long: its record and bytes may be here by then. */
RXP_INLINE void queue_fetch_ahead(uint32_t number) {
    const struct record *next = record_at(number);
    uintptr_t header = (uintptr_t)record_get(next, RECORD_BLOCK) - BLOCK_HEADER;
    RXP_PREFETCH((const void *)header);
    RXP_PREFETCH((const void *)(header + BLOCK_CACHE_LINE));
    RXP_PREFETCH(record_at(record_next(next)));
}

/* Takes the oldest one off, which `r` is. */
RXP_INLINE void queue_unlink(struct queue *q, const struct record *r) {
    q->head = record_next(r);
    if (RXP_LIKELY(q->head != 0))
        queue_fetch_ahead(q->head);
}

/* Counts what came into a queue, or with -1 what left it. */
RXP_INLINE void queue_count(struct context *x, const struct record_info *info, int64_t sign) {
    int64_t bytes = sign * (int64_t)take_held_bytes(info);
    x->held[info->type & TAKE_PAGED].bytes += (uint64_t)bytes;
    x->room -= bytes;
}

/* The queue that blocks leave first. */
RXP_INLINE struct queue *queue_of_victims(struct context *x, unsigned irql) {
    bool paged = x->held[TAKE_PAGED].bytes > x->held[0].bytes && irql <= APC_LEVEL;
    return &x->held[paged ? TAKE_PAGED : 0];
}

#endif
