/* RXPOOL_OPTIONS fail= for malloc and new: ex/fault.h with a caller's view. */
#ifndef RXPOOL_MALLOC_FAIL_H
#define RXPOOL_MALLOC_FAIL_H

#include "base/base.h"

/* fail= is in force. */
extern bool dropin_failing __attribute__((visibility("hidden")));
/* fail= or checked=1 is: the slow halves of malloc.c ask for both at once. */
extern bool dropin_rare __attribute__((visibility("hidden")));

/* Reads the option; the first allocation comes by here, before there are threads. */
void fail_start(void);
/*
 * Whether a request of the code at `caller` has to fail. What the loader asks for never has: without
 * memory it ends the process, and no program can do anything about that.
 */
bool fail_inject(size_t size, const void *caller);

#endif
