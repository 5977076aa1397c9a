/*
 * The remote word's transitions. State table and argument: docs/remote-frees.md; exhausted by model/.
 */
#ifndef RXPOOL_EX_REMOTE_H
#define RXPOOL_EX_REMOTE_H

#include "ex/slab.h"

RXP_INLINE uint64_t remote_word(uint32_t head, enum remote_state state, uint64_t pushes) {
    return (uint64_t)head | (uint64_t)state << REMOTE_HEAD_BITS |
           pushes << (REMOTE_HEAD_BITS + REMOTE_STATE_BITS);
}

/* Owner: takes over the remote list, which only the owner ever empties. The slab's own list is empty. */
void remote_take(struct slab *slab);
/* The same; false when there is none. */
RXP_INLINE bool remote_collect(struct slab *slab) {
    if (RXP_LIKELY(REMOTE_HEAD(STATE_LOAD(&slab->remote)) == 0))
        return false;
    remote_take(slab);
    return true;
}
/* remote_make_full where the state is to change, or blocks have come back. */
bool remote_become_full(struct slab *slab, unsigned eighth);
/*
 * Owner: OWNED -> FULL; false when blocks had come back, and then they are collected. NOTIFIED stays as it is; FULL, left
 * so by a free of the owner's that put the slab back into its bin, has a new mark. `eighth` is its class's.
 */
RXP_INLINE bool remote_make_full(struct slab *slab, unsigned eighth) {
    uint64_t w = STATE_LOAD(&slab->remote);

    slab_look_in(slab, eighth);
    if (RXP_UNLIKELY(REMOTE_HEAD(w) != 0 || REMOTE_STATE(w) != REMOTE_FULL))
        return remote_become_full(slab, eighth);
    /* A pusher that still sees the last time's mark, which is no higher, notifies the sooner. */
    STATE_STORE(&slab->full_mark, REMOTE_PUSHES(w) + eighth);
    return true;
}
/*
 * The owner's end: OWNED or FULL -> ORPHAN; false where it is NOTIFIED, be it by a push that comes in between: its notice is
 * on the way, and who finds it sees to the slab.
 */
bool remote_become_orphan(struct slab *slab);
/* Whoever holds the slab alone, and no push may change its state: that -> `state`, list and count kept. */
void remote_set_state(struct slab *slab, enum remote_state state);
/* The same to NONE; the pushes ever. */
uint64_t remote_close(struct slab *slab);

/* slab.c's part for what a push may start; under the heaps lock, of a heap that no thread holds. */
void slab_orphan_notified(struct heap *heap);
void slab_retire_orphan(struct heap *heap, struct slab *slab);
/* Owner, from slow paths: gives back what has been idle. */
void heap_tick(struct heap *heap);

#endif
