/*
 * The map from an address to the number of its record.
 *
 *   address  47      32 31             12 11     5 4    0
 *            |  top    |  page           | granule |      |
 *
 *   top[address >> 32]  ->  one word for each page of 4 KiB:  0          nothing there
 *                                                             leaf       128 numbers, by granule
 *                                                             DIRECT | n the page's only record
 *
 * A look-up is three loads, two where the page has one block. Numbers are only ever replaced, never
 * taken out, and a page's word goes from 0 to DIRECT to its leaf and no further; so no look-up waits, and
 * who finds a number checks the record's own address. A granule's number is written by the thread that
 * the pool has given an address in it, a page's word under a lock.
 */
#ifndef RXPOOL_CHECK_MAP_INDEX_H
#define RXPOOL_CHECK_MAP_INDEX_H

#include <stdatomic.h>

#include "check/registry.h"

#define INDEX_DIRECT 0x80000000u
#define INDEX_PAGE_SHIFT 12
#define INDEX_LEAF (4096u / REGISTRY_GRANULE)

typedef _Atomic uint32_t index_leaf[INDEX_LEAF];

extern RXP_HIDDEN _Atomic(_Atomic uint32_t *) index_top[1u << 16];
extern RXP_HIDDEN index_leaf *index_leaves; /* by number; 0 is none */

RXP_INLINE uint32_t index_granule(uint64_t block) {
    return (uint32_t)(block / REGISTRY_GRANULE) % INDEX_LEAF;
}

/*
 * The record that was last entered for this granule, or for its page if that has but one; 0 for none. (Or of what lies
 * at the address's lower 48 bits: none that is entered has more.) In *place the granule's own number, NULL where the page
 * has not got one for each.
 */
RXP_INLINE uint32_t index_find_place(uint64_t block, _Atomic uint32_t **place) {
    *place = NULL;
    _Atomic uint32_t *pages =
        atomic_load_explicit(&index_top[(uint16_t)(block >> 32)], memory_order_acquire);
    if (RXP_UNLIKELY(pages == NULL))
        return 0;
    uint32_t entry =
        atomic_load_explicit(&pages[(uint32_t)block >> INDEX_PAGE_SHIFT], memory_order_acquire);
    if (entry & INDEX_DIRECT)
        return entry & ~INDEX_DIRECT;
    if (RXP_UNLIKELY(entry == 0))
        return 0;
    *place = &index_leaves[entry][index_granule(block)];
    return atomic_load_explicit(*place, memory_order_acquire);
}

RXP_INLINE uint32_t index_find(uint64_t block) {
    _Atomic uint32_t *place;
    return index_find_place(block, &place);
}

/*
 * Enters a number in a place that index_find_place has told. Release: who finds the number finds the record's
 * address in it.
 */
RXP_INLINE void index_put(_Atomic uint32_t *place, uint32_t number) {
    atomic_store_explicit(place, number, memory_order_release);
}

/* Enters a number for the granule of `block`. False when there is no memory. */
bool index_set(uint64_t block, uint32_t number);
bool index_start(void);
/* Bytes that the map occupies. */
uint64_t index_bytes(void);
void index_fork_lock(void);
void index_fork_unlock(void);

#endif
