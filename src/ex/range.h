/*
 * Ranges of address space, the runs of slabs in them, and the engine's own memory.
 */
#ifndef RXPOOL_EX_RANGE_H
#define RXPOOL_EX_RANGE_H

#include "ex/state.h"

/* --- slabs by address and by id ---------------------------------------------------------------- */

/* The descriptor of any address in any range; null elsewhere and above what is committed. */
struct slab *range_slab(const void *address);
/* The same three questions for every range; most slabs lie in the first, whose answers are inline. */
struct slab *range_slab_by_id_anywhere(uint32_t id);
uint32_t range_slab_id_anywhere(const struct slab *slab);
uintptr_t range_slab_base_anywhere(const struct slab *slab);

RXP_INLINE struct slab *range_slab_by_id(uint32_t id) {
    return RXP_LIKELY(id >> SLAB_ID_BITS == 0) ? engine_first.slabs + id
                                               : range_slab_by_id_anywhere(id);
}

/* Descriptors lie in their own range, below its slabs. */
RXP_INLINE bool range_slab_is_first(const struct slab *slab) {
    uintptr_t slabs = (uintptr_t)engine_first.slabs;
    return (uintptr_t)slab - slabs < engine_first.slab_area - slabs;
}

RXP_INLINE uint32_t range_slab_id(const struct slab *slab) {
    return RXP_LIKELY(range_slab_is_first(slab)) ? (uint32_t)(slab - engine_first.slabs)
                                                 : range_slab_id_anywhere(slab);
}

RXP_INLINE uintptr_t range_slab_base(const struct slab *slab) {
    return RXP_LIKELY(range_slab_is_first(slab))
               ? engine_first.slab_area + ((uintptr_t)(slab - engine_first.slabs) << SLAB_SHIFT)
               : range_slab_base_anywhere(slab);
}

/* The label of a descriptor. */
struct slab_label *range_label_anywhere(const struct slab *slab);
RXP_INLINE struct slab_label *range_label(const struct slab *slab) {
    return RXP_LIKELY(range_slab_is_first(slab)) ? engine_first.labels + (slab - engine_first.slabs)
                                                 : range_label_anywhere(slab);
}

/* Before it is in service for the first time. Once: who finds a slab of the past reads it while it may be another's. */
RXP_INLINE void range_give_label(struct slab *slab) {
    if (slab->label == 0)
        slab->label = (uintptr_t)range_label(slab);
}

/* Roots, in order of their making; null past the last. */
struct root *range_root(unsigned number);

/* --- runs ------------------------------------------------------------------------------------- */

/*
 * Of slabs that were taken, those in [from, to) may hold data; the others read as zero. None where `to` is 0. `pages` of
 * theirs are there.
 */
struct range_dirt {
    uint32_t from, to;
    uint64_t pages;
};
/*
 * Takes `count` slabs in a row whose first is aligned to `alignment` bytes (a power of two, SLAB_SIZE at least); null when
 * the address space, memory or limit= is exhausted. *dirt is set where the answer is not null.
 * The descriptors are SLAB_NONE; the caller fills them in. Takes the ranges lock.
 */
struct slab *range_take_dirt(uint32_t count, size_t alignment, struct range_dirt *dirt);
/*
 * One slab of which every page will be written soon: where no idle one is left and much lives, from a huge page whose
 * rest lies idle then.
 */
struct slab *range_take_dense(struct range_dirt *dirt);
/*
 * Takes slabs without pages, for what gets pages of its own. Null also where others would have to be purged for it, and
 * where no more would live with them than has lived lately: what was freed since then lies idle, or would if its pages
 * had stayed where they were.
 */
struct slab *range_take_unlike_lately(uint32_t count, size_t alignment);
/*
 * Returns slabs, `dirty_pages` of whose pages may hold data. The descriptors are SLAB_NONE again. Idle dirty memory that
 * is more than may stay goes back to the system, oldest first, once it has been idle for 30 ms: what exceeds, with what
 * lives, all that lived lately by more than a quarter (a MiB, where that is more); of a pool that has been emptied, what
 * exceeds an eighth of what lives, or a MiB. True where little is left of what lived lately and there is such memory:
 * nobody may come by again, so the caller's heap rests. Takes the ranges lock.
 */
bool range_return(struct slab *first, uint32_t count, uint64_t dirty_pages);
/* Whether there is more idle dirty memory than may stay in an emptied pool. */
bool range_above(void);
/* Extends a taken run in place by `more` slabs; false when what follows is in use. */
bool range_extend(struct slab *first, uint32_t count, uint32_t more);
/* Gives back what has been idle for purge= milliseconds; `everything` does not wait. Returns bytes. */
size_t range_purge(bool everything);
/* Whether far less lives than has lived lately, as of the last purge. */
bool range_emptied(void);
/* NULL, or the invariant that does not hold. */
const char *range_walk(void);

/* --- the engine's own memory ------------------------------------------------------------------- */

/* Zeroed, cache-line aligned, never freed; null when exhausted. Takes the meta lock. */
void *meta_alloc(size_t size);

/* Makes the first range; called once by engine_ready with nothing held. */
bool range_init(void);

#endif
