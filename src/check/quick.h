/*
 * The common case of an allocation and of a free of the pool, in as few instructions as it takes: a small block of
 * the simplest kind (block_words.h) at an IRQL that every type allows, under no option that asks for more, and with
 * nothing wrong. check_allocate, check_free, check_heap_allocate and check_heap_free begin with it; whatever is otherwise is left
 * to check.c and heap.c, from the start or from where it turned up.
 *
 *   map/    user mode
 *   hash/   a kernel: there is no such case
 */
#ifndef RXPOOL_CHECK_QUICK_H
#define RXPOOL_CHECK_QUICK_H

#include "check/check.h"

/* From now on there is one, unless options forbid that. When check.c is ready, with its options. */
void quick_start(bool fill);
/*
 * Lets blocks leave the quarantine until there is room, at an IRQL that every type allows. False: there still is
 * none.
 */
bool quick_leave(const struct caller *c);
/* The heap's blocks come from there. Once, before the first of them. User mode only, where there is a heap. */
struct check_heap;
void quick_use_heap(const struct check_heap *heap);
/*
 * For heap.c: copies of the block's bytes as many as it has, `size` at most, and frees it. False: nothing was done.
 * User mode only, too.
 */
bool quick_move(void *block, void *to, size_t size, unsigned family, const struct caller *c);

#endif
