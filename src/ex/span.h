/*
 * Large blocks: whole pages in slabs of their own. Counted per heap like blocks on mixed slabs, so nothing is folded.
 */
#ifndef RXPOOL_EX_SPAN_H
#define RXPOOL_EX_SPAN_H

#include "ex/heap.h"

/* `heap` counts the block; null counts it among those of threads without one. */
void *span_alloc(struct heap *heap, uint32_t account, size_t size, size_t alignment,
                 unsigned flags);
/* False where another thread freed it first. */
bool span_free(struct heap *heap, struct slab *slab);
bool span_resize(struct heap *heap, struct slab *slab, size_t size);
/* See engine_move. */
void *span_move(struct heap *heap, struct slab *slab, size_t size);
/* In a fork's child. */
void span_after_fork(void);
/* The span that `slab`, itself out of service, may belong to; null when it lies in a free run. */
struct slab *span_around(struct slab *slab);

#endif
