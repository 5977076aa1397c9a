/*
 * What run.c asks of range.c, under the ranges lock.
 */
#ifndef RXPOOL_EX_RUN_H
#define RXPOOL_EX_RUN_H

#include "ex/range.h"

/* Appends `count` never-used slabs to range `number`'s high end: index of the first; 0 when refused. */
uint64_t range_grow(unsigned number, uint64_t count);
struct slab *range_slab_at(unsigned number, uint64_t index);
/* Makes a further range that holds at least `slabs`. */
bool range_add(uint64_t slabs);

#endif
