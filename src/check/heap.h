/*
 * Checked blocks under the rules of C and C++ instead of the pool's: sizes of 64 bits and any
 * alignment, no page rule, resizing, and families of routines that belong together. Header, guards,
 * records, quarantine and reports are those of the pool's blocks.
 *
 *   | tag, slack (alignments above 32) | RX_POOL_HEADER | size bytes | guard, 1 to 16 bytes |
 *
 * Every function may be called at PASSIVE_LEVEL only, by any thread, and gives its own reports out.
 */
#ifndef RXPOOL_CHECK_HEAP_H
#define RXPOOL_CHECK_HEAP_H

#include "base/backend.h"
#include "check/report.h"

/* Who allocated a block, and so who may free it; 0 is the pool's own routines. */
enum heap_family { HEAP_MALLOC = 1, HEAP_NEW, HEAP_NEW_ARRAY };

#define HEAP_ZERO 1u     /* the block's bytes are zero */
#define HEAP_UNFILLED 2u /* the caller writes them at once; not with HEAP_ZERO */

/* Where the memory comes from. ExFreePool gives it back. */
struct check_heap {
    uint32_t tag; /* in the blocks' headers */
    /*
     * `size` bytes at `alignment` (a power of two, 16 or more) for the code at c->pc; with HEAP_ZERO in
     * `flags` they are zero. NULL when there are none.
     */
    void *(*allocate)(size_t size, size_t alignment, unsigned flags, const struct caller *c);
    /* The same without HEAP_ZERO and at 16 bytes, where that is to be had at once. May be NULL. */
    struct backend_memory (*allocate_quickly)(size_t size, const struct caller *c);
    /* Makes such memory `size` bytes long where it lies; false when that cannot be. */
    bool (*resize)(void *memory, size_t size);
    /* Bytes of such memory: what was asked for, or more. */
    size_t (*size)(const void *memory);
    /* A block between guard pages, as pool_backend's; NULL: never. */
    bool (*guarded)(const struct guard_request *q, struct guard_place *out);
    /* Appends what memory an address lies in that is not the pool's; NULL: not told. */
    void (*describe)(struct text *out, const void *address);
};

/*
 * Memory of the heap was handed out without a record, by whoever calls this: from now on what no record
 * knows may be such memory, and is freed when it is given to a routine here. Before, it is no block.
 */
void check_heap_unrecorded(void);
/* From now on blocks come from `heap`. Once, before the first block; false when memory is short. */
bool check_heap_use(const struct check_heap *heap);

/*
 * A block of `size` bytes (0 too: then every byte is guard) at `alignment`, a power of two. NULL when
 * memory is short or the size absurd; nothing is reported then.
 */
void *check_heap_allocate(size_t size, size_t alignment, unsigned flags, enum heap_family family,
                          const struct caller *c);
/* Ends a block; NULL is ignored. A block of another family is reported and, told to go on, freed. */
void check_heap_free(void *block, enum heap_family family, const struct caller *c);
/* The same two in every case: for map/quick.c, which has the common ones. */
void *check_heap_allocate_any(size_t size, size_t alignment, unsigned flags,
                              enum heap_family family, const struct caller *c);
void check_heap_free_any(void *block, enum heap_family family, const struct caller *c);
/* The rest of an allocation that has its memory, as *info says. */
void *check_heap_hand_out(const struct record_info *info, unsigned flags);
/*
 * A block of `size` bytes with the bytes of `block`, which is freed: a pointer that was kept is stale
 * even where the sizes are alike. Only a block too large for the quarantine may stay where it is. NULL
 * when memory is short, and then `block` lives on, or when `block` is none, which is reported.
 */
void *check_heap_resize(void *block, size_t size, enum heap_family family, const struct caller *c);
/* The size that was asked for; 0 for what is no live block. */
size_t check_heap_size(const void *block);
/*
 * A call is about to have the system write (`write`) or read the memory: reports what of it is no live block's, though it
 * begins in or at one; and warns of bytes to be read that nobody has written. Takes no lock; the call is to be made all
 * the same.
 */
void check_heap_access(const void *memory, size_t bytes, bool write, const struct caller *c);
/* Checks header and guards of every live block of the heap, and reports; for the process's exit. */
void check_heap_sweep(const struct caller *c);

#endif
