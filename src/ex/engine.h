/*
 * The engine: accounts, heaps, slabs and spans under the documented names (pool.c) and under malloc.
 * It knows keys and sizes, no rule of NT or POSIX, and never stops the process: it answers a verdict
 * and its callers say what that means at their boundary.
 */
#ifndef RXPOOL_EX_ENGINE_H
#define RXPOOL_EX_ENGINE_H

#include "base/backend.h"
#include "ex/layout.h"

/* How sizes are laid out. POOL obeys the page rule; DENSE is the drop-in's. */
enum class_layout { LAYOUT_POOL = 0, LAYOUT_DENSE = 1 };

/* Largest size served from slabs; above it, spans of whole pages (accounted) in whole slabs (address space). */
#define SLAB_BLOCK_MAX ((size_t)32768)
#define SLAB_BLOCK_MAX_DENSE SLAB_SIZE

RXP_INLINE size_t slab_block_max(enum class_layout layout) {
    return layout == LAYOUT_DENSE ? SLAB_BLOCK_MAX_DENSE : SLAB_BLOCK_MAX;
}

#define ENGINE_ZERO 1u          /* the block's bytes are zero */
#define ENGINE_CACHE_ALIGNED 2u /* the block starts on a cache line */
#define ENGINE_NO_INSTALL 4u    /* do not make `alias` fast for the next call */

/* An alias that is not an account key: bit 63 set, e.g. by the drop-in for a page of return addresses. */
#define ENGINE_ALIAS ((uint64_t)1 << 63)
/*
 * Aliases of the two kinds of documented call. The sums keep them apart from each other and from account keys,
 * which another caller of the engine may use as aliases of other accounts.
 */
#define ALIAS_TYPE(type, tag) ((uint64_t)(uint32_t)((type) + 0x20000000u) << 32 | (tag))
#define ALIAS_TYPE_OF(alias) ((uint32_t)((alias) >> 32) - 0x20000000u)
#define ALIAS_FLAGS(flags, tag) ((uint64_t)(uint32_t)((flags) + 0x40000000u) << 32 | (tag))

/*
 * Allocates `size` bytes for the account `key` (created at first use), 16-byte aligned, page-aligned from a
 * page up; NULL when memory, the address range or limit= is exhausted. Unless told otherwise, further
 * calls with `alias` (the key itself, or any value that the caller derives from it) are served by
 * engine_alloc_fast. Size 0 is served as 1. The layout is DENSE for keys of type ACCOUNT_DENSE.
 */
void *engine_alloc(uint64_t alias, uint64_t key, size_t size, unsigned flags);
/*
 * The same for an alias that this thread's calls have installed, at no more than 16-byte alignment: NULL also where it has
 * not, and then engine_alloc is to be called.
 */
void *engine_alloc_known(uint64_t alias, size_t size, enum class_layout layout);
/* The same behind cold_alloc: all that is to be tried between engine_alloc_fast and engine_alloc. */
void *engine_alloc_second(uint64_t alias, size_t size, enum class_layout layout);
/* As engine_alloc, at any power-of-two alignment. */
void *engine_alloc_aligned(uint64_t alias, uint64_t key, size_t size, size_t alignment,
                           unsigned flags);

/* What a pointer is to the engine. */
enum engine_verdict {
    ENGINE_OK = 0,
    ENGINE_FOREIGN,  /* in no pool: null, stack, global, mapped, another heap */
    ENGINE_UNUSED,   /* in the range, in no slab in service (freed span, retired slab, metadata) */
    ENGINE_INTERIOR, /* inside a slab or span, not at the start of a block */
    ENGINE_NOT_LIVE, /* start of a block that is free (told where a side array knows, or strict) */
    ENGINE_WRONG_TAG,
    ENGINE_DAMAGED, /* a guarded block next to which bytes were overwritten: it is set aside */
};

struct engine_block {
    uintptr_t start; /* of the block that holds the address */
    size_t size;     /* usable bytes: the size class, or whole pages */
    uint32_t tag;
    uint32_t type;    /* ACCOUNT_ bits */
    uint32_t account; /* id; 0 unknown */
    uint32_t site;
};

/* Describes the block at or around `address` without touching it. `out` may be partly filled on a bad verdict. */
enum engine_verdict engine_lookup(const void *address, struct engine_block *out);

/* Frees a block. `tag` 0 means any. Not ENGINE_OK: nothing was done. */
enum engine_verdict engine_free(void *block, uint32_t tag);

/* backend.h's list_goes_on. */
bool engine_list_goes_on(const void *block);

/* Usable bytes of a live block; 0 for anything else, and for one with a guard page. Cheap. */
size_t engine_size(const void *block);
/* Grows or shrinks a block where it lies: true when it now holds `size` usable bytes. */
bool engine_resize(void *block, size_t size);
/*
 * Grows a large block that cannot grow where it lies by moving its pages to where it can, without a copy: its new address,
 * counted as the resized block. NULL where that is not to be had, or would cost more than a copy.
 */
void *engine_move(void *block, size_t size);

/* Interns a copy of `name` (`length` bytes, no terminator needed) with `line` (0 for a module); 0 when full. */
uint32_t engine_site(const char *name, size_t length, uint32_t line);
/* Drops every alias with bit 63 set from every heap: after dlclose. */
void engine_forget_aliases(void);
/* What pool_backend has of these names, and its release_held. */
struct counted_block engine_counted(const void *block);
void engine_hold(struct counted_block block, int blocks);
void engine_hold_block(const void *block);
void engine_hold_instead(struct counted_block in, const void *block);
bool engine_free_held(struct counted_block in, void *block);

/* Gives all idle memory back now; returns the bytes given back. */
size_t engine_trim(void);
/* Raised IRQL: the thread's fast paths miss until it is lowered. */
void engine_fast_paths(bool enabled);
/*
 * Every thread's fast paths miss, so that every call goes the slow way. Set before the first allocation
 * of the process, or read as false by threads that have a heap already.
 */
extern bool engine_slow_always;
/*
 * The fast paths all the same, for the one caller that has threads go slow so that every call comes by it
 * (engine_slow_always). About 25 instructions each.
 *   alloc   a block of the DENSE layout, and what engine_list_goes_on says of it; NULL: call engine_alloc
 *   free    of a live block that engine_alloc gave out; false: nothing was done, take the usual way
 */
struct backend_memory engine_alloc_direct(uint64_t alias, size_t size);
/* What the documented allocation of POOL_TYPE `type` does on its fast path, and the same answer; NULL: call that. */
struct backend_memory engine_alloc_pool(uint32_t type, size_t size, uint32_t tag);
bool engine_free_direct(void *block);
/* backend.h's release_noted and allocate_again. */
bool engine_free_noted(void *block, struct backend_place *place);
bool engine_alloc_again(const struct backend_place *place);
/* Walks every structure and checks every invariant that layout.h writes down; NULL when all hold, else
 * a sentence that says which does not. With no call in flight. */
const char *engine_walk(void);
/*
 * Calls visit for every live block, with the bytes that it has room for. No other thread runs in the engine: all
 * are stopped, at any instruction. One caller at a time.
 */
void engine_each_live(void (*visit)(void *argument, uintptr_t block, size_t bytes), void *argument);
/* The first range's root; NULL before the first allocation. */
const struct root *engine_root(void);
/* Totals over all accounts, for mallinfo2 and limits. */
struct engine_totals {
    uint64_t live_blocks, live_bytes; /* block-rounded */
    uint64_t mapped_bytes;            /* committed slabs */
    uint64_t idle_bytes;              /* free, not yet given back */
    uint64_t span_blocks, span_bytes;
};
void engine_totals(struct engine_totals *out);

/* Register what describes a block of a layer above in a stop report (check does). */
struct text;
void engine_set_describe(void (*describe)(struct text *out, const void *address));
void engine_describe(struct text *out, const void *address);

#endif
