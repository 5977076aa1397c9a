/* What slab.c and share.c have of each other. All of it is the owner's. */
#ifndef RXPOOL_EX_SLAB_PARTS_H
#define RXPOOL_EX_SLAB_PARTS_H

#include "ex/slab.h"

/* Into and out of its bin's partial list. */
void bin_link(struct binset *set, struct slab *slab, bool at_head);
void bin_unlink(struct heap *heap, struct binset *set, struct slab *slab);
void bin_set_current(struct heap *heap, struct binset *set, struct slab *slab);
/* Before it is carved further: what was counted is what is taken off. */
void idle_forget(struct heap *heap, struct slab *slab);
/* The next page's worth of blocks; false when all are carved. */
bool slab_carve(struct slab *slab);
/* A free block at home, those that others gave back among them. */
bool slab_has_block(struct slab *slab);
/* In service for the bin, and neither carved nor in it; null when memory is short. */
struct slab *slab_new(struct heap *heap, struct binset *set, unsigned class);
/* The same after that, from what the heap keeps idle: a sweep. */
struct slab *slab_new_again(struct heap *heap, struct binset *set, unsigned class);
/* Into its bin's list, or out of service where nothing is left in it. */
void slab_settle(struct heap *heap, struct binset *set, struct slab *slab);

#endif
