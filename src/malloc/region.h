/* What memory an address lies in, for reports. */
#ifndef RXPOOL_MALLOC_REGION_H
#define RXPOOL_MALLOC_REGION_H

#include "base/text.h"

/*
 * Appends "the stack of this thread", "libz.so.1+0x1c0f8" (code or data of a module), "[heap]", "memory
 * of no file" or "no memory". Allocates nothing; module_start() must have been called.
 */
void region_describe(struct text *out, const void *address);

#endif
