/*
 * The checked build's operations, under the documented names in rdbss. Everything below works over any
 * pool with the shape of ExAllocatePoolWithTagPriority and ExFreePool.
 *
 * The IRQL rules are those of the documented routines. Each function gives its own reports out and,
 * under on_error=log, goes on without the operation.
 */
#ifndef RXPOOL_CHECK_CHECK_H
#define RXPOOL_CHECK_CHECK_H

#include "check/report.h"

/* Registers the fork handlers of this layer; called once, by RXP_AT_LOAD. */
void check_watch_forks(void);
/* Allocates `size` bytes (UINT32_MAX: refused) with header and guard; NULL when memory is short. */
void *check_allocate(uint32_t type, uint32_t size, uint32_t tag, const struct caller *c);
/* Allocates a plain block and records it. */
void *check_allocate_for_others(uint32_t type, size_t size, uint32_t tag, const struct caller *c);
/* Ends a block; `tag` 0 means any. What no record knows goes to ExFreePool. */
void check_free(void *block, uint32_t tag, const struct caller *c);
/* Whether `block` is live and whole; with a warning in the report when it is live and is not. Never faults. */
bool check_verify(const void *block, const struct caller *c);
/* The header and guard in memory got elsewhere: NULL when the memory is too small or not aligned. */
void *check_sign(void *memory, size_t bytes, uint32_t type, uint32_t tag, const struct caller *c);
/* Ends that; answers the memory. NULL, with a report, when `block` is no signed block. */
void *check_unsign(void *block, const struct caller *c);
/* Checks every live block, answering the number of damaged ones, and empties the quarantine, checking it. */
size_t check_verify_all(const struct caller *c);

/* Checks the quarantine's blocks and gives them back; paged ones too where `paged`. */
void check_drain(bool paged, const struct caller *c);
/*
 * Drains the quarantine and reports what is live, lost and held apart where that can be told; answers the
 * number of those blocks (leaks.c). PASSIVE_LEVEL.
 */
size_t check_leaks(const struct caller *c);
/*
 * The same for a driver that is unloaded. In a kernel it then gives back what the checked build keeps for
 * itself, unless something is still live; it begins anew at the next allocation. PASSIVE_LEVEL.
 */
size_t check_unload(const struct caller *c);
/* The same at exit, before the quarantine is emptied, and without the stop of leaks=fatal. */
size_t check_leaks_at_exit(const struct caller *c);
/* The stop of leaks=fatal, for `blocks` blocks. */
void check_stop_for_leaks(size_t blocks, const struct caller *c);
/* Reports the blocks that nothing refers to any more; answers their number. PASSIVE_LEVEL. */
size_t check_lost(const struct caller *c);
/* Whether a plain block, of kind OTHERS, is still allocated: its other owner does not tell us. */
bool check_still_there(const struct record_info *info);
/*
 * Reports what is live and was allocated since registry_mark() answered `mark`; answers the number of those
 * blocks (leaks.c). PASSIVE_LEVEL.
 */
size_t check_leaks_since(uint32_t mark, const struct caller *c);
/* Frees passed on to the pool because no record knew the block. */
uint64_t check_foreign_frees(void);

#endif
