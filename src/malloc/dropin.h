/*
 * The drop-in: glibc's malloc family and C++'s operator new and delete over the engine, for
 * programs that know nothing of pools. It names glibc and its loader freely: it is of no use
 * anywhere else.
 *
 *   malloc.c   the malloc family              account.c  which account a call belongs to
 *   new.c      operator new and delete        module.c   which module an address belongs to
 *   report.c   mallinfo, malloc_info, ...     checked.c  all of it under checked=1
 *   io.c       read, write and their like     fail.c     and under fail=
 *
 * A call's account. by=tag: one account for all, a constant. by=module and by=site: the account of
 * the caller, found by its return address (a function that makes its call the last thing it does
 * has left by then, and its own caller is taken for it). The address (its page for by=module) with
 * ENGINE_ALIAS set is the alias under which the thread's own table remembers the account, so a
 * repeated caller costs no more than a tag does. An alias that the thread does not know goes
 * through a process-wide cache of sites to the loader's tables, and none of the three takes a lock.
 */
#ifndef RXPOOL_MALLOC_DROPIN_H
#define RXPOOL_MALLOC_DROPIN_H

#include "check/heap.h"
#include "ex/cold.h"

/* Reads "Mllc" in memory order. */
#define DROPIN_TAG ((uint32_t)('M' | 'l' << 8 | 'l' << 16 | 'c' << 24))
/* The account of by=tag. */
#define DROPIN_KEY ACCOUNT_KEY(DROPIN_TAG, ACCOUNT_DENSE, 0)

/* --- account.c --- */

/* by=tag is in force: a caller's address need not even be read. False until the options are. */
extern bool dropin_one_account __attribute__((visibility("hidden")));

struct dropin_account {
    uint64_t alias;
    uint64_t key;
    unsigned flags; /* for engine_alloc: ENGINE_NO_INSTALL where the alias does not stay true */
};

/*
 * A caller's alias is its address under `mask`, with `bits`. Until the options are read it is that
 * of no caller at all, which no thread's table holds: the first call goes the slow way by itself.
 */
extern struct dropin_alias {
    uint64_t mask, bits;
} dropin_alias_rule __attribute__((visibility("hidden")));

RXP_INLINE uint64_t dropin_alias(const void *caller) {
    return ((uintptr_t)caller & dropin_alias_rule.mask) | dropin_alias_rule.bits;
}

/* The whole account of calls that return to `caller`; the first call reads the options. */
struct dropin_account dropin_account(const void *caller);

/* --- malloc.c --- */

#define NO_ALIGNMENT _Alignof(max_align_t) /* more than malloc's */

/*
 * Where a call goes that the fast paths do not serve, for the code at `caller`: out of line, so that the entry points save
 * no register for it. Under checked=1 these are the checked ones, which no call need find out step by step.
 *
 *   alloc...   NULL with errno ENOMEM where the engine has none or `size` exceeds PTRDIFF_MAX
 *   free...    NULL is ignored; anything that is no block stops with 0xC2
 *
 * Only checked=1 tells malloc, operator new and operator new[] apart.
 */
typedef void *dropin_allocates(size_t size, const void *caller);
typedef void dropin_frees(void *block, const void *caller);

struct dropin_routes {
    dropin_allocates *alloc, *alloc_zeroed, *alloc_new, *alloc_new_array;
    dropin_frees *free, *free_new, *free_new_array;
};

extern struct dropin_routes dropin_route __attribute__((visibility("hidden")));

/* From now on the checked ones. */
void dropin_route_checked(void);

/* The same at `alignment`, a power of two. */
void *dropin_alloc_aligned(size_t alignment, size_t size, enum heap_family family,
                           const void *caller);
/* Every entry point's way in: one test, the engine's fast path, no look at the caller for by=tag.
 */
RXP_INLINE void *dropin_alloc_inline(size_t size, const void *caller) {
    if (RXP_LIKELY(dropin_one_account)) {
        void *block = engine_alloc_fast_dense(DROPIN_KEY, size);
        if (RXP_LIKELY(block != NULL))
            return block;
    }
    return dropin_route.alloc(size, caller);
}

RXP_INLINE void dropin_free_inline(void *block, const void *caller) {
    if (RXP_UNLIKELY(!engine_free_fast(block, 0)))
        dropin_route.free(block, caller);
}

#endif
