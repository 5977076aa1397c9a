/*
 * Own slabs that hold few blocks share a list of free ones. One that holds 1 to 32 is full, and no longer, all the time, so that
 * going by slabs every other call would be slow; the list goes by blocks:
 *
 *   binset.current ---> leader          list of free blocks of any of them: free -> b -> b -> b
 *                         ^  ^          counters of what the whole bin allocates and its owner frees
 *                         |  |
 *     slab.list of a sharer  sharer     free: blocks that are home; out: all others that were carved
 *
 * A slab becomes a sharer when the leader's list is dry and takes over what it has. Its own counters stand still from then on,
 * and readers, who add up, find the bin's figures in the leader's. The owner knows of a sharer:
 *
 *   blocks out, listed or live = out - (pushes - collected);   carved blocks = home + out
 *   listed = binset.listed + FREED_COUNT(leader.freed) - leader.allocs, modulo 2^32
 *
 * When more are listed than the bin may keep, the older half goes home; a sharer with an eighth at home returns to the bin's
 * partial list, an empty one retires as others do, and leaves its counts to its leader. A sweep, the thread's end, and whatever
 * goes by slabs end all sharing: each slab is given counters that are true for itself alone.
 *
 * A late write into a free block may have broken the list: what does not lead to a free place of the bin ends it.
 */
#ifndef RXPOOL_EX_SHARE_H
#define RXPOOL_EX_SHARE_H

#include "ex/slab.h"

#define SHARE_BLOCKS_MOST 32u /* of a slab that shares */

RXP_INLINE bool bin_shares(const struct binset *set, unsigned class) {
    return set->account != 0 &&
           engine_classes.info[set->layout][class].capacity <= SHARE_BLOCKS_MOST;
}

/* The bin has a current slab, whose list is dry and which has nothing left to carve. False when memory is short. */
bool share_refill(struct heap *heap, struct binset *set, unsigned class);
/* The leader has collected or carved blocks of its own onto its list, which was dry. */
void share_filled(struct binset *set, struct slab *leader);
/* The leader's look. */
void share_look(struct heap *heap, struct binset *set, struct slab *leader);
/* False where the list leads to no free block of the bin: what is left of it is forgotten. */
bool share_goes_on(struct heap *heap, struct slab *leader);
/* A sharer that is being folded away leaves what it has counted to its leader. */
void share_leave(struct heap *heap, struct binset *set, struct slab *slab, uint64_t pushes);
/* Nobody of the heap shares any more. */
void share_end(struct heap *heap);

/* NULL, or the invariant that does not hold of a leader and its list. */
const char *share_walk(const struct heap *heap, const struct binset *set,
                       const struct slab *leader);

#endif
