/* What the drop-in says of a pointer that is no block. */
#ifndef RXPOOL_MALLOC_MISUSE_H
#define RXPOOL_MALLOC_MISUSE_H

#include "ex/engine.h"

/*
 * Stops with 0xC2 BAD_POOL_CALLER in the words of ExFreePool: the code at `caller` gave `address`
 * to free or realloc, and the engine says `verdict` of it. Returns only under on_error=log, and
 * then the address must not be touched.
 */
RXP_COLD void misuse_bad_block(const void *address, const void *caller,
                               enum engine_verdict verdict);

#endif
