/* What the map's registry does for its quarantine. */
#ifndef RXPOOL_CHECK_MAP_LISTS_H
#define RXPOOL_CHECK_MAP_LISTS_H

#include "check/map/context.h"

/* The record of exactly this address, in whatever state; NULL for none. */
struct record *lists_lookup(uint64_t block);
/* Puts a DEAD record, taken off its queue, among the unused of a context that was entered. */
void lists_recycle(struct context *x, uint32_t number);

#endif
