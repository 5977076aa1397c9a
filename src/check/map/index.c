/* The map from an address to the number of its record: see index.h. */
#include "check/map/index.h"

#include "check/map/front.h"
#include "check/map/record.h"
#include "plat/plat.h"

#define LEAVES_MAX (1u << 25) /* for 128 GiB in small blocks */
#define LEAVES_MIN (1u << 12)
#define COMMIT_STEP ((size_t)256 << 10)
#define PAGES_BYTES (((size_t)1 << (32 - INDEX_PAGE_SHIFT)) * sizeof(uint32_t))

_Atomic(_Atomic uint32_t *) index_top[1u << 16];
index_leaf *index_leaves;

static struct {
    struct plat_lock lock;
    struct front memory;
    uint32_t used;
    uint64_t page_words; /* of pages that have a record */
} leaves;

bool index_start(void) {
    if (!front_start(&leaves.memory, LEAVES_MAX * sizeof(index_leaf),
                     LEAVES_MIN * sizeof(index_leaf)))
        return false;
    index_leaves = (index_leaf *)leaves.memory.base;
    leaves.used = 1;
    return true;
}

/* The words of the 4 GiB around an address; NULL when there is no memory. With the lock. */
static _Atomic uint32_t *pages_make(uint64_t block) {
    _Atomic uint32_t *pages = atomic_load_explicit(&index_top[block >> 32], memory_order_relaxed);
    if (pages != NULL)
        return pages;
    pages = plat_reserve(PAGES_BYTES, COMMIT_STEP);
    if (pages == NULL)
        return NULL;
    if (!plat_commit((void *)pages, PAGES_BYTES)) {
        plat_release((void *)pages, PAGES_BYTES);
        return NULL;
    }
    atomic_store_explicit(&index_top[block >> 32], pages, memory_order_release);
    return pages;
}

/* The number of a leaf of zeroes; 0 when there is no memory. With the lock. */
static uint32_t leaf_make(void) {
    return front_reach(&leaves.memory, (leaves.used + (size_t)1) * sizeof(index_leaf))
               ? leaves.used++
               : 0;
}

/*
 * A page's second granule: its only record so far moves into a leaf. That record's address may be about
 * to change, but never its granule. With the lock.
 */
static uint32_t leaf_of_direct(uint32_t entry) {
    uint32_t number = entry & ~INDEX_DIRECT, leaf = leaf_make();
    if (leaf != 0)
        atomic_store_explicit(
            &index_leaves[leaf][index_granule(record_get(record_at(number), RECORD_BLOCK))], number,
            memory_order_relaxed);
    return leaf;
}

static bool same_granule(uint32_t entry, uint64_t block) {
    uint64_t other = record_get(record_at(entry & ~INDEX_DIRECT), RECORD_BLOCK);
    return index_granule(other) == index_granule(block);
}

/* The slow half of index_set: changes the page's own word. */
static bool page_set(uint64_t block, uint32_t number) {
    bool done = false;
    plat_lock_acquire(&leaves.lock);
    _Atomic uint32_t *pages = pages_make(block);
    if (pages != NULL) {
        _Atomic uint32_t *page = &pages[(uint32_t)block >> INDEX_PAGE_SHIFT];
        uint32_t entry = atomic_load_explicit(page, memory_order_relaxed);
        leaves.page_words += entry == 0;
        if (entry == 0 || ((entry & INDEX_DIRECT) && same_granule(entry, block))) {
            entry = INDEX_DIRECT | number;
        } else {
            if (entry & INDEX_DIRECT)
                entry = leaf_of_direct(entry);
            if (entry != 0)
                index_put(&index_leaves[entry][index_granule(block)], number);
        }
        done = entry != 0;
        if (done)
            atomic_store_explicit(page, entry, memory_order_release);
    }
    plat_lock_release(&leaves.lock);
    return done;
}

bool index_set(uint64_t block, uint32_t number) {
    if (block >> 48 != 0)
        return false;
    _Atomic uint32_t *place;
    index_find_place(block, &place);
    if (place == NULL)
        return page_set(block, number);
    index_put(place, number);
    return true;
}

uint64_t index_bytes(void) {
    plat_lock_acquire(&leaves.lock);
    uint64_t bytes =
        leaves.used * (uint64_t)sizeof(index_leaf) + leaves.page_words * sizeof(uint32_t);
    plat_lock_release(&leaves.lock);
    return bytes;
}

void index_fork_lock(void) {
    plat_lock_acquire(&leaves.lock);
}

void index_fork_unlock(void) {
    plat_lock_release(&leaves.lock);
}
