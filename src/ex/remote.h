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

/* Owner: takes over the remote list; false when there is none. The slab's own list is empty. */
bool remote_collect(struct slab *slab);
/*
 * Owner: OWNED -> FULL; false when blocks had come back, and then they are collected. NOTIFIED stays as it is; FULL, left
 * so by a free of the owner's that put the slab back into its bin, has a new mark.
 */
bool remote_make_full(struct slab *slab);
/* Whoever holds the slab alone: any state -> `state`, list and count kept. */
void remote_set_state(struct slab *slab, enum remote_state state);
/* The same to NONE; the pushes ever. */
uint64_t remote_close(struct slab *slab);

/* slab.c's part for what a push may start; under the heaps lock, of a heap that no thread holds. */
void slab_orphan_notified(struct heap *heap);
void slab_retire_orphan(struct heap *heap, struct slab *slab);
/* Owner, from slow paths: gives back what has been idle. */
void heap_tick(struct heap *heap);

#endif
