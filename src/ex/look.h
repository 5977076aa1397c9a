/*
 * How many frees go by until a slab's owner looks at it. One that nobody allocates from is looked at when it could be empty,
 * or no longer full; its bin's current one when all that lived in it at the last look could be gone. Where that is few
 * blocks, as in a loop that allocates and frees one, it is soon looked at with every LOOK_EVERY-th free only; and where it is
 * more, if the carved pages of all such slabs of the heap are no more than SELDOM_PAGES, a MiB:
 *
 *   heap.seldom_pages = sum of seldom over its slabs <= SELDOM_PAGES; only a current slab's is not 0
 *   heap.lonely_slabs = those of its slabs that are SLAB_LONELY; only a current one is
 */
#ifndef RXPOOL_EX_LOOK_H
#define RXPOOL_EX_LOOK_H

#include "ex/slab.h"

#define LOOK_FEW 32u
#define LOOKS_MOST 8u
#define LOOK_EVERY 512u
/*
 * A current slab is lonely that held fewer than LONELY blocks of up to LONELY_SIZE bytes for long. What more than CROWD of
 * them have, a page and a descriptor each, is more than first-level caches hold, while their blocks would fit in there if they
 * lay on mixed slabs.
 */
#define LONELY 8u
#define LONELY_SIZE 1024u
#define CROWD 384u

/* look_after where more than a few blocks live, and where a slab begins or ceases to be lonely. */
uint32_t look_after_many(struct heap *heap, struct slab *slab, uint32_t live);
void look_lonely(struct heap *heap, struct slab *slab);
/* Neither lonely nor looked at seldom from now on. */
void look_forget(struct heap *heap, struct slab *slab);

/* Frees until the owner of a current slab with so many live blocks looks again. */
RXP_INLINE uint32_t look_after(struct heap *heap, struct slab *slab, uint32_t live) {
    if (slab->looks < LOOKS_MOST) {
        slab->looks++;
        return live == 0 ? 1 : live;
    }
    if (live >= LOOK_FEW)
        return look_after_many(heap, slab, live);
    slab->flags |= SLAB_SELDOM;
    if (slab->block_size <= LONELY_SIZE && (live < LONELY) != ((slab->flags & SLAB_LONELY) != 0))
        look_lonely(heap, slab);
    return LOOK_EVERY;
}

/* Frees until the owner of a slab that nobody allocates from looks: when it could be empty. */
RXP_INLINE uint32_t look_when_empty(uint64_t live) {
    return live == 0 ? LOOK_EVERY : (uint32_t)live;
}

/* It is its bin's current slab no longer. */
RXP_INLINE void look_no_more(struct heap *heap, struct slab *slab) {
    if (slab->flags & SLAB_LONELY || slab->seldom != 0)
        look_forget(heap, slab);
}

RXP_INLINE bool look_finds_crowd(const struct heap *heap) {
    return heap->lonely_slabs > CROWD;
}

#endif
