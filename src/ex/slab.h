/*
 * Slabs in service: carving, bins, and the protocol of remote frees (docs/remote-frees.md).
 */
#ifndef RXPOOL_EX_SLAB_H
#define RXPOOL_EX_SLAB_H

#include "ex/heap.h"

/* Whether every block is written whole by who is asked for it, the checked build with fill=: set once. */
extern RXP_HIDDEN _Atomic bool slab_writes_all;

/* By its counters: of a leader with what it counts for others. Acquired: who looks at a fold's marks next finds them as new. */
RXP_INLINE uint64_t slab_counted(const struct slab *slab) {
    uint64_t pushes = REMOTE_PUSHES(atomic_load_explicit(&slab->remote, memory_order_acquire));
    return atomic_load_explicit(&slab->allocs, memory_order_acquire) -
           FREED_COUNT(atomic_load_explicit(&slab->freed, memory_order_acquire)) - pushes;
}
/*
 * Blocks that are neither free at home nor on the remote list; exact for the owner, and for anybody while no thread owns
 * the slab. Not of a leader: its counters are the bin's.
 */
RXP_INLINE uint64_t slab_live(const struct slab *slab) {
    if (RXP_UNLIKELY(slab->flags & SLAB_SHARES))
        return slab->out - (REMOTE_PUSHES(STATE_LOAD(&slab->remote)) - slab->collected);
    return slab_counted(slab);
}
/* The owner's: `frees` from now, that one among them, it looks. 1 to FREED_LOOK_MOST. */
RXP_INLINE void slab_look_in(struct slab *slab, uint32_t frees) {
    rxp_assert(frees - 1 < FREED_LOOK_MOST);
    STATE_STORE(&slab->freed,
                (uint64_t)(frees - 1) << FREED_SHIFT | FREED_COUNT(STATE_LOAD(&slab->freed)));
}
RXP_INLINE const struct class_info *slab_class(const struct slab *slab) {
    return &engine_classes.info[slab->layout][slab->size_class];
}
RXP_INLINE uint32_t slab_owner(const struct slab *slab) {
    return STATE_LOAD(&slab_label(slab)->owner) & ~(OWNER_SLOW | OWNER_STRICT);
}
/* Blocks that were never carved yet. */
unsigned slab_uncarved(const struct slab *slab);
/* Pages that hold blocks that were carved. */
RXP_INLINE unsigned slab_carved_pages(const struct slab *slab) {
    if (slab_class(slab)->unit_mask != 0xFFFF)
        return slab->carved;
    return (slab->carved * slab->block_size + (uint32_t)POOL_PAGE_SIZE - 1) >> POOL_PAGE_SHIFT;
}
/* Slabs whose units are pages: the page that was carved as number `k`, from 0 up. */
unsigned slab_carved_page(const struct slab *slab, unsigned k);

/* Whether the place of a block of the slab was ever carved. */
RXP_INLINE bool slab_has_carved(const struct slab *slab, const void *block) {
    uint32_t offset = (uint32_t)(uintptr_t)block & (SLAB_SIZE - 1);

    if (slab_class(slab)->unit_mask == 0xFFFF)
        return offset < (uint32_t)slab->carved * slab->block_size;
    return ((offset >> POOL_PAGE_SHIFT) - slab_carved_page(slab, 0)) % 16 < slab->carved;
}

/* The owner's: makes current[c] a slab with a free block; false when memory is short. */
bool slab_refill(struct heap *heap, struct binset *set, unsigned class);
/* The owner's: a block of a mixed slab, for `account`, which came by `alias`; 0 for none. */
void *slab_take_mixed(struct heap *heap, uint64_t alias, uint32_t account, enum class_layout layout,
                      unsigned class);

/* A thread that does not own the slab gives back a block. `owner` is the id of the slab's heap. */
void slab_push(struct slab *slab, uint32_t owner, void *block);

/* The account of a live block on a mixed slab; 0 for one that is free. */
uint32_t slab_side_account(const struct slab *slab, const void *block);
/* Marks it free; false where another thread did so since `account` was read. `owned`: the caller owns the slab. */
bool slab_side_clear(struct slab *slab, const void *block, uint32_t account, bool owned);

/* True once in purge= milliseconds. */
bool heap_sweep_due(struct heap *heap, uint64_t now);
/* Takes what others reported as no longer full. The owner's. */
void slab_drain(struct heap *heap);
/* Retires what is empty, idle currents included. The owner's. */
void slab_sweep(struct heap *heap);

/* A descriptor into and out of service as a span's. slab_hide_span: false where another thread was first. */
void slab_publish_span(struct slab *slab, uint32_t account, uint32_t tag, uint64_t bytes);
bool slab_hide_span(struct slab *slab);

/* Bytes of free blocks on pages that are there: of a heap that no thread holds, under the heaps lock, by some of its slabs. */
uint64_t slab_room(const struct heap *heap);
/* Thread exit and adoption; under the heaps lock. */
void slab_orphan_all(struct heap *heap);
void slab_adopt_all(struct heap *heap);
/* In a fork's child: nobody else is there any more, so what is on its way to the notify list never arrives. */
void slab_settle_all(struct heap *heap);

/* NULL, or the invariant that does not hold: slab_walk.c. */
const char *slab_walk(const struct slab *slab);
const char *slab_walk_heap(const struct heap *heap);

#endif
