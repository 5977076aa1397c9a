/*
 * Memory that is used from its front to its end, and never given back: it is committed by steps, and its pages are there
 * a little ahead of who uses it.
 *
 *   base            used         present       committed          base + size
 *   |  in use  |    | pages there |  none yet    |   inaccessible   |
 */
#ifndef RXPOOL_CHECK_MAP_FRONT_H
#define RXPOOL_CHECK_MAP_FRONT_H

#include "base/base.h"

struct front {
    char *base;
    size_t size, committed, present;
};

/* Reserves `most` bytes, or by halves as many as can be had, `least` at the least. */
bool front_start(struct front *f, size_t most, size_t least);
/* The first `used` bytes may be written; false when there is no memory. With a lock of the caller's. */
bool front_reach(struct front *f, size_t used);

#endif
