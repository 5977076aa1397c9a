/*
 * RXPOOL_OPTIONS checked=1: every block of the drop-in with header, guards and a record (check/heap.h).
 *
 * Nothing of it is on a fast path. Under checked=1 every fast path misses: no thread's table knows an
 * alias (engine_slow_always), and no block starts where the engine's does, so the entry points go on by
 * dropin_route, which leads here then.
 */
#ifndef RXPOOL_MALLOC_CHECKED_H
#define RXPOOL_MALLOC_CHECKED_H

#include "check/heap.h"

/* checked=1 is in force; set before the first block of the process is handed out. */
extern bool dropin_checked __attribute__((visibility("hidden")));

/* Reads the option; the first allocation comes by here, before there are threads. */
void checked_start(void);
/* `flags` as for check_heap_allocate. NULL with errno ENOMEM; else errno is as it was. */
void *checked_alloc(size_t size, size_t alignment, unsigned flags, enum heap_family family,
                    const void *caller);
void checked_free(void *block, enum heap_family family, const void *caller);
/* Whether a signal handler has interrupted one of these calls. */
bool checked_is_nested(void);
/* Not where that is so. */
void *checked_realloc(void *block, size_t size, const void *caller);
/* The size that was asked for; 0 for what is no live block. */
size_t checked_size(const void *block);

#endif
