/*
 * Ranges of address space, the runs of slabs in them, and the engine's own memory.
 */
#ifndef RXPOOL_EX_RANGE_H
#define RXPOOL_EX_RANGE_H

#include "ex/state.h"

/* --- slabs by address and by id ---------------------------------------------------------------- */

/* The descriptor of any address in any range; null elsewhere and above what is committed. */
struct slab *range_slab(const void *address);
struct slab *range_slab_by_id(uint32_t id);
uint32_t range_slab_id(const struct slab *slab);
uintptr_t range_slab_base(const struct slab *slab);
/* Roots, in order of their making; null past the last. */
struct root *range_root(unsigned number);

/* --- runs ------------------------------------------------------------------------------------- */

/*
 * Takes `count` slabs in a row whose first is aligned to `alignment` bytes (a power of two, SLAB_SIZE at least); null when
 * the address space, memory or limit= is exhausted. *zero tells that every byte reads as zero.
 * The descriptors are SLAB_NONE; the caller fills them in. Takes the ranges lock.
 */
struct slab *range_take(uint32_t count, size_t alignment, bool *zero);
/*
 * Returns slabs, `dirty_pages` of whose pages may hold data. The descriptors are SLAB_NONE again. Idle dirty memory
 * above max(1 MiB, live / 8) goes back to the system, oldest first, once it has been idle for 30 ms. True where
 * little is left of what lived lately and there is such memory: nobody may come by again, so the caller's heap rests.
 * Takes the ranges lock.
 */
bool range_return(struct slab *first, uint32_t count, uint64_t dirty_pages);
/* Whether there is more idle dirty memory than may stay. */
bool range_above(void);
/* Extends a taken run in place by `more` slabs; false when what follows is in use. */
bool range_extend(struct slab *first, uint32_t count, uint32_t more, bool *zero);
/* Gives back what has been idle for purge= milliseconds; `everything` does not wait. Returns bytes. */
size_t range_purge(bool everything);
/* NULL, or the invariant that does not hold. */
const char *range_walk(void);

/* --- the engine's own memory ------------------------------------------------------------------- */

/* Zeroed, cache-line aligned, never freed; null when exhausted. Takes the meta lock. */
void *meta_alloc(size_t size);

/* Makes the first range; called once by engine_ready with nothing held. */
bool range_init(void);

#endif
