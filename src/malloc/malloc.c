/*
 * The malloc family as glibc 2.36 has it, errno and alignment included; where C17 and POSIX are
 * stricter than glibc 2.36 (aligned_alloc of an alignment that is no power of two), they win.
 * Compiled without the compiler's knowledge of these names: it would make calloc out of its own
 * body.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ex/special.h"
#include "malloc/checked.h"
#include "malloc/dropin.h"
#include "malloc/fail.h"
#include "malloc/misuse.h"

/* Removed from the headers with glibc 2.26, still called by programs linked before. */
void cfree(void *block);

static RXP_COLD void *refuse(int error) {
    errno = error;
    return NULL;
}

static RXP_NOINLINE void *alloc_second(size_t size, uint64_t alias) {
    int error = errno;
    void *block = engine_alloc_second(alias, size, LAYOUT_DENSE);
    errno = error;
    return block;
}

/* All that a known caller is served by. */
RXP_INLINE void *alloc_quick(size_t size, const void *caller) {
    uint64_t alias = dropin_alias(caller);
    void *block = engine_alloc_fast_dense(alias, size);

    return RXP_LIKELY(block != NULL) ? block : alloc_second(size, alias);
}

/* Where nothing has to be looked at first: between guard pages, or as other blocks. */
RXP_INLINE void *serve(const struct dropin_account *account, size_t size, size_t alignment,
                       unsigned flags, const void *caller) {
    if (RXP_UNLIKELY(special_asks())) {
        unsigned adjusted = flags;
        void *block = special_serve(account->key, size, alignment, &adjusted, caller);
        if (block != NULL)
            return block;
        flags = adjusted;
    }
    return alignment <= NO_ALIGNMENT
               ? engine_alloc(account->alias, account->key, size, flags)
               : engine_alloc_aligned(account->alias, account->key, size, alignment, flags);
}

/* Under checked=1 or fail=. */
static RXP_NOINLINE void *alloc_rare(size_t size, size_t alignment, const void *caller,
                                     unsigned flags, enum heap_family family) {
    if (dropin_failing && fail_inject(size, caller))
        return refuse(ENOMEM);
    if (dropin_checked)
        return checked_alloc(size, alignment, flags & ENGINE_ZERO ? HEAP_ZERO : 0, family, caller);
    int error = errno;
    struct dropin_account account = dropin_account(caller);
    void *block = serve(&account, size, alignment, flags | account.flags, caller);
    errno = block != NULL ? error : ENOMEM;
    return block;
}

static RXP_NOINLINE void *alloc_slow(size_t size, const void *caller, unsigned flags,
                                     enum heap_family family) {
    if (size > PTRDIFF_MAX)
        return refuse(ENOMEM);
    if (RXP_UNLIKELY(dropin_rare))
        return alloc_rare(size, NO_ALIGNMENT, caller, flags, family);
    int error = errno;
    struct dropin_account account = dropin_account(caller);
    if (RXP_UNLIKELY(dropin_rare)) /* since now: the first call has just read the options */
        return alloc_rare(size, NO_ALIGNMENT, caller, flags, family);
    void *block = serve(&account, size, NO_ALIGNMENT, flags | account.flags, caller);
    errno = block != NULL ? error : ENOMEM;
    return block;
}

static void *alloc_plain(size_t size, const void *caller) {
    void *block = alloc_quick(size, caller);
    return RXP_LIKELY(block != NULL) ? block : alloc_slow(size, caller, 0, HEAP_MALLOC);
}

static void *alloc_new(size_t size, const void *caller) {
    void *block = alloc_quick(size, caller);
    return RXP_LIKELY(block != NULL) ? block : alloc_slow(size, caller, 0, HEAP_NEW);
}

static void *alloc_new_array(size_t size, const void *caller) {
    void *block = alloc_quick(size, caller);
    return RXP_LIKELY(block != NULL) ? block : alloc_slow(size, caller, 0, HEAP_NEW_ARRAY);
}

static void *alloc_zeroed(size_t size, const void *caller) {
    void *block = alloc_quick(size, caller);
    return RXP_LIKELY(block != NULL) ? memset(block, 0, size)
                                     : alloc_slow(size, caller, ENGINE_ZERO, HEAP_MALLOC);
}

RXP_INLINE void *alloc_aligned(size_t alignment, size_t size, enum heap_family family,
                               const void *caller) {
    if (alignment <= _Alignof(max_align_t)) {
        void *block = alloc_quick(size, caller);
        return RXP_LIKELY(block != NULL) ? block : alloc_slow(size, caller, 0, family);
    }
    if (alignment > PTRDIFF_MAX || size > PTRDIFF_MAX - alignment)
        return refuse(ENOMEM);
    if (RXP_LIKELY(!dropin_rare)) {
        void *block = engine_alloc_fast_aligned(dropin_alias(caller), size, alignment);
        if (RXP_LIKELY(block != NULL))
            return block;
    }
    int error = errno;
    struct dropin_account account = dropin_account(caller);
    if (RXP_UNLIKELY(dropin_rare))
        return alloc_rare(size, alignment, caller, 0, family);
    void *block = serve(&account, size, alignment, account.flags, caller);
    errno = block != NULL ? error : ENOMEM;
    return block;
}

void *dropin_alloc_aligned(size_t alignment, size_t size, enum heap_family family,
                           const void *caller) {
    return alloc_aligned(alignment, size, family, caller);
}

static void free_slow(void *block, const void *caller) {
    int error = errno;
    if (RXP_UNLIKELY(special_asks()))
        special_note_free(block, caller);
    enum engine_verdict verdict = engine_free(block, 0);
    if (RXP_UNLIKELY(verdict != ENGINE_OK))
        misuse_bad_block(block, caller, verdict);
    errno = error;
}

RXP_INLINE void free_for(void *block, enum heap_family family, const void *caller) {
    const struct slab_label *label = fast_label(block);
    uint32_t owner = STATE_LOAD(&label->owner);
    if (block == NULL || cold_free(label, owner, block, 0) || cold_push(label, owner, block, 0))
        return;
    if (RXP_UNLIKELY(dropin_checked))
        checked_free(block, family, caller);
    else
        free_slow(block, caller);
}

static void free_plain(void *block, const void *caller) {
    free_for(block, HEAP_MALLOC, caller);
}

static void free_new(void *block, const void *caller) {
    free_for(block, HEAP_NEW, caller);
}

static void free_new_array(void *block, const void *caller) {
    free_for(block, HEAP_NEW_ARRAY, caller);
}

struct dropin_routes dropin_route = {alloc_plain, alloc_zeroed, alloc_new,     alloc_new_array,
                                     free_plain,  free_new,     free_new_array};

/* --- C ---------------------------------------------------------------------------------------- */

RXP_EXPORT void *malloc(size_t size) {
    return dropin_alloc_inline(size, RXP_RETURN_ADDRESS());
}

RXP_EXPORT void free(void *block) {
    dropin_free_inline(block, RXP_RETURN_ADDRESS());
}

RXP_EXPORT void cfree(void *block) {
    dropin_free_inline(block, RXP_RETURN_ADDRESS());
}

RXP_EXPORT void *calloc(size_t count, size_t size) {
    size_t bytes;
    if (RXP_UNLIKELY(__builtin_mul_overflow(count, size, &bytes)))
        return refuse(ENOMEM);
    if (RXP_LIKELY(dropin_one_account)) {
        void *block = engine_alloc_fast_dense(DROPIN_KEY, bytes);
        if (RXP_LIKELY(block != NULL))
            return memset(block, 0, bytes);
    }
    return dropin_route.alloc_zeroed(bytes, RXP_RETURN_ADDRESS());
}

static void *realloc_by_copy(void *block, size_t held, size_t size, const void *caller) {
    void *moved = dropin_alloc_inline(size, caller);
    if (moved == NULL)
        return size <= held ? block : NULL;
    memcpy(moved, block, held < size ? held : size);
    dropin_free_inline(block, caller);
    return moved;
}

/* Whether the block can stay where it is. A slab's block does while it wastes no more than half of
 * itself. Under fail= none grows, so that a realloc that asks for more is a request that may fail. */
static bool resize_in_place(void *block, size_t held, size_t size) {
    if (size <= held && size >= held / 2)
        return true;
    if (held <= SLAB_BLOCK_MAX_DENSE || (dropin_failing && size > held))
        return false;
    int error = errno;
    bool resized = engine_resize(block, size);
    errno = error;
    return resized;
}

static void *realloc_elsewhere(void *block, size_t held, size_t size, const void *caller) {
    void *moved = held > SLAB_BLOCK_MAX_DENSE && size > held && !dropin_failing
                      ? engine_move(block, size)
                      : NULL;
    return moved != NULL ? moved : realloc_by_copy(block, held, size, caller);
}

/* What the engine does not take for a block of its slabs and spans. */
static RXP_COLD void *realloc_unusual(void *block, size_t size, const void *caller) {
    if (dropin_checked) /* nested: its bytes cannot be copied, since its size cannot be asked for */
        return refuse(ENOMEM);
    size_t held = special_size(block);
    if (held != 0) /* it has to move, or it would not lie against its guard */
        return realloc_by_copy(block, held, size, caller);
    misuse_bad_block(block, caller, engine_lookup(block, &(struct engine_block){0}));
    return refuse(ENOMEM);
}

RXP_INLINE void *realloc_checked(void *block, size_t size, const void *caller) {
    if (RXP_UNLIKELY(dropin_failing) && fail_inject(size, caller))
        return refuse(ENOMEM);
    return checked_realloc(block, size, caller);
}

static RXP_NOINLINE void *realloc_for(void *block, size_t size, const void *caller) {
    if (block == NULL)
        return dropin_alloc_inline(size, caller);
    if (size == 0) {
        dropin_free_inline(block, caller);
        return NULL;
    }
    if (size > PTRDIFF_MAX)
        return refuse(ENOMEM);
    if (RXP_UNLIKELY(dropin_checked) && RXP_LIKELY(!checked_is_nested()))
        return realloc_checked(block, size, caller);
    size_t held = engine_size(block);
    if (RXP_UNLIKELY(held == 0))
        return realloc_unusual(block, size, caller);
    return resize_in_place(block, held, size) ? block
                                              : realloc_elsewhere(block, held, size, caller);
}

RXP_EXPORT void *realloc(void *block, size_t size) {
    return realloc_for(block, size, RXP_RETURN_ADDRESS());
}

RXP_EXPORT void *reallocarray(void *block, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return refuse(ENOMEM);
    return realloc_for(block, bytes, RXP_RETURN_ADDRESS());
}

/* --- alignment -------------------------------------------------------------------------------- */

static bool is_power_of_two(size_t n) {
    return n != 0 && (n & (n - 1)) == 0;
}

RXP_EXPORT void *aligned_alloc(size_t alignment, size_t size) {
    if (!is_power_of_two(alignment))
        return refuse(EINVAL);
    return alloc_aligned(alignment, size, HEAP_MALLOC, RXP_RETURN_ADDRESS());
}

RXP_EXPORT int posix_memalign(void **out, size_t alignment, size_t size) {
    if (!is_power_of_two(alignment) || alignment % sizeof(void *) != 0)
        return EINVAL;
    int error = errno;
    void *block = alloc_aligned(alignment, size, HEAP_MALLOC, RXP_RETURN_ADDRESS());
    errno = error;
    if (block == NULL)
        return ENOMEM;
    *out = block;
    return 0;
}

/* As in glibc, an alignment that is no power of two means the next one. */
static void *memalign_for(size_t alignment, size_t size, const void *caller) {
    if (alignment > SIZE_MAX / 2 + 1)
        return refuse(EINVAL);
    size_t power = alignment > 1 ? (size_t)2 << (63 - __builtin_clzll(alignment - 1)) : 1;
    return dropin_alloc_aligned(power, size, HEAP_MALLOC, caller);
}

RXP_EXPORT void *memalign(size_t alignment, size_t size) {
    return memalign_for(alignment, size, RXP_RETURN_ADDRESS());
}

static size_t system_page(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

RXP_EXPORT void *valloc(size_t size) {
    return dropin_alloc_aligned(system_page(), size, HEAP_MALLOC, RXP_RETURN_ADDRESS());
}

RXP_EXPORT void *pvalloc(size_t size) {
    size_t page = system_page();
    if (size > PTRDIFF_MAX)
        return refuse(ENOMEM);
    return dropin_alloc_aligned(page, rxp_round_up(size, page), HEAP_MALLOC, RXP_RETURN_ADDRESS());
}

RXP_EXPORT size_t malloc_usable_size(void *block) {
    if (block == NULL)
        return 0;
    size_t size = RXP_UNLIKELY(dropin_checked) ? checked_size(block) : 0;
    if (RXP_LIKELY(size == 0)) /* or a nested call's, without a record */
        size = engine_size(block);
    return RXP_LIKELY(size != 0 || dropin_checked) ? size : special_size(block);
}

/*
 * The names by which programs go round an interposed malloc. They lead here, so that no block of
 * another heap reaches free. The loader and libc themselves use the plain names.
 */
#define GLIBC_NAME(name)                                                                           \
    __asm__(".globl __libc_" #name "\n.type __libc_" #name ", @function\n.set __libc_" #name       \
            ", " #name)
GLIBC_NAME(malloc);
GLIBC_NAME(calloc);
GLIBC_NAME(realloc);
GLIBC_NAME(free);
GLIBC_NAME(memalign);
GLIBC_NAME(valloc);
GLIBC_NAME(pvalloc);
