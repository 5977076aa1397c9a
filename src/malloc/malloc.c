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

#include "malloc/dropin.h"
#include "malloc/misuse.h"

/* Removed from the headers with glibc 2.26, still called by programs linked before. */
void cfree(void *block);

static RXP_COLD void *refuse(int error) {
    errno = error;
    return NULL;
}

static RXP_NOINLINE void *alloc_slow(size_t size, const void *caller, unsigned flags) {
    if (size > PTRDIFF_MAX)
        return refuse(ENOMEM);
    int error = errno;
    struct dropin_account account = dropin_account(caller);
    void *block = engine_alloc(account.alias, account.key, size, flags | account.flags);
    errno = block != NULL ? error : ENOMEM;
    return block;
}

void *dropin_alloc(size_t size, const void *caller) {
    void *block = engine_alloc_fast_dense(dropin_alias(caller), size);
    return RXP_LIKELY(block != NULL) ? block : alloc_slow(size, caller, 0);
}

static RXP_NOINLINE void *zeroed_alloc(size_t size, const void *caller) {
    void *block = engine_alloc_fast_dense(dropin_alias(caller), size);
    return RXP_LIKELY(block != NULL) ? memset(block, 0, size)
                                     : alloc_slow(size, caller, ENGINE_ZERO);
}

void *dropin_alloc_aligned(size_t alignment, size_t size, const void *caller) {
    if (alignment <= _Alignof(max_align_t))
        return dropin_alloc_inline(size, caller);
    if (alignment > PTRDIFF_MAX || size > PTRDIFF_MAX - alignment)
        return refuse(ENOMEM);
    int error = errno;
    uint64_t key = dropin_account(caller).key;
    void *block = engine_alloc_aligned(key, size, alignment, 0);
    errno = block != NULL ? error : ENOMEM;
    return block;
}

void dropin_free(void *block, const void *caller) {
    if (block == NULL)
        return;
    int error = errno;
    enum engine_verdict verdict = engine_free(block, 0);
    if (RXP_UNLIKELY(verdict != ENGINE_OK))
        misuse_bad_block(block, caller, verdict);
    errno = error;
}

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
    return zeroed_alloc(bytes, RXP_RETURN_ADDRESS());
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
 * itself. */
static bool resize_in_place(void *block, size_t held, size_t size) {
    if (size <= held && size >= held / 2)
        return true;
    if (held <= SLAB_BLOCK_MAX)
        return false;
    int error = errno;
    bool resized = engine_resize(block, size);
    errno = error;
    return resized;
}

static void *realloc_for(void *block, size_t size, const void *caller) {
    if (block == NULL)
        return dropin_alloc_inline(size, caller);
    if (size == 0) {
        dropin_free_inline(block, caller);
        return NULL;
    }
    if (size > PTRDIFF_MAX)
        return refuse(ENOMEM);
    size_t held = engine_size(block);
    if (RXP_UNLIKELY(held == 0)) {
        misuse_bad_block(block, caller, engine_lookup(block, &(struct engine_block){0}));
        return refuse(ENOMEM);
    }
    return resize_in_place(block, held, size) ? block : realloc_by_copy(block, held, size, caller);
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
    return dropin_alloc_aligned(alignment, size, RXP_RETURN_ADDRESS());
}

RXP_EXPORT int posix_memalign(void **out, size_t alignment, size_t size) {
    if (!is_power_of_two(alignment) || alignment % sizeof(void *) != 0)
        return EINVAL;
    int error = errno;
    void *block = dropin_alloc_aligned(alignment, size, RXP_RETURN_ADDRESS());
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
    size_t power = _Alignof(max_align_t);
    while (power < alignment)
        power <<= 1;
    return dropin_alloc_aligned(power, size, caller);
}

RXP_EXPORT void *memalign(size_t alignment, size_t size) {
    return memalign_for(alignment, size, RXP_RETURN_ADDRESS());
}

static size_t system_page(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

RXP_EXPORT void *valloc(size_t size) {
    return dropin_alloc_aligned(system_page(), size, RXP_RETURN_ADDRESS());
}

RXP_EXPORT void *pvalloc(size_t size) {
    size_t page = system_page();
    if (size > PTRDIFF_MAX)
        return refuse(ENOMEM);
    return dropin_alloc_aligned(page, rxp_round_up(size, page), RXP_RETURN_ADDRESS());
}

RXP_EXPORT size_t malloc_usable_size(void *block) {
    return block != NULL ? engine_size(block) : 0;
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
