/*
 * C++'s operator new and delete in every form, by their mangled names, so that a C program needs no
 * C++ runtime. Without them every C++ allocation would belong to the module that is called
 * libstdc++. Compiled with -fexceptions: a new-handler's exception passes through these frames.
 */
#include <dlfcn.h>
#include <stdlib.h>

#include "base/host.h"
#include "malloc/dropin.h"

typedef void (*new_handler)(void);

/* --- the C++ runtime, where there is one ------------------------------------------------------ */

/*
 * A function of the C++ runtime that the code at `caller` runs on: the program's, or one that came
 * with a plug-in and is in nobody's scope but its own. Asked only when memory has run out.
 */
static RXP_COLD void *runtime_function(const char *mangled, const void *caller) {
    Dl_info module;
    void *function = dlsym(RTLD_NEXT, mangled);
    if (function != NULL || dladdr(caller, &module) == 0)
        return function;
    void *handle = dlopen(module.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (handle == NULL)
        return NULL;
    function = dlsym(handle, mangled);
    dlclose(handle); /* the caller keeps it loaded */
    return function;
}

/* std::get_new_handler() */
static new_handler current_handler(const void *caller) {
    typedef new_handler get_new_handler(void);
    get_new_handler *get = (get_new_handler *)runtime_function("_ZSt15get_new_handlerv", caller);
    return get != NULL ? get() : NULL;
}

/* Throws std::bad_alloc. Nobody expects NULL of these forms, so without a runtime it is the end. */
static RXP_COLD __attribute__((noreturn)) void throw_bad_alloc(const void *caller) {
    static const char line[] =
        "rxpool: operator new is out of memory, and there is no C++ runtime to throw\n";
    void (*throw)(void) = (void (*)(void))runtime_function("_ZSt17__throw_bad_allocv", caller);
    if (throw != NULL)
        throw();
    plat_report(NULL, line, sizeof line - 1);
    abort();
}

/* --- allocation ------------------------------------------------------------------------------- */

static void *try_alloc(size_t alignment, size_t size, enum heap_family family, const void *caller) {
    if (alignment != 0)
        return dropin_alloc_aligned(alignment, size, family, caller);
    return family == HEAP_NEW ? dropin_route.alloc_new(size, caller)
                              : dropin_route.alloc_new_array(size, caller);
}

/* alignment 0: the default one. */
static void *new_loop(size_t alignment, size_t size, enum heap_family family, const void *caller) {
    for (;;) {
        void *block = try_alloc(alignment, size, family, caller);
        if (RXP_LIKELY(block != NULL))
            return block;
        new_handler handler = current_handler(caller);
        if (handler == NULL)
            throw_bad_alloc(caller);
        handler();
    }
}

/* One for each family, so that the entry points need not name it. */
static RXP_NOINLINE void *new_slow(size_t size, const void *caller) {
    return new_loop(0, size, HEAP_NEW, caller);
}

static RXP_NOINLINE void *new_array_slow(size_t size, const void *caller) {
    return new_loop(0, size, HEAP_NEW_ARRAY, caller);
}

RXP_INLINE void *new_fast(size_t size) {
    return RXP_LIKELY(dropin_one_account) ? engine_alloc_fast_dense(DROPIN_KEY, size) : NULL;
}

static void *new_aligned(size_t size, size_t alignment, enum heap_family family,
                         const void *caller) {
    if (alignment == 0 || (alignment & (alignment - 1)) != 0)
        throw_bad_alloc(caller);
    return new_loop(alignment, size, family, caller);
}

/*
 * The forms that return NULL. What a new-handler throws must be caught, which C cannot: where one
 * is installed the runtime's own form runs the loop, over the throwing form above.
 */
static void *new_nothrow(size_t size, const void *nothrow, enum heap_family family,
                         const void *caller) {
    typedef void *form(size_t, const void *);
    void *block = try_alloc(0, size, family, caller);
    if (RXP_LIKELY(block != NULL) || current_handler(caller) == NULL)
        return block;
    form *next = (form *)runtime_function("_ZnwmRKSt9nothrow_t", caller);
    return next != NULL ? next(size, nothrow) : NULL;
}

static void *new_aligned_nothrow(size_t size, size_t alignment, const void *nothrow,
                                 enum heap_family family, const void *caller) {
    typedef void *form(size_t, size_t, const void *);
    if (alignment == 0 || (alignment & (alignment - 1)) != 0)
        return NULL;
    void *block = dropin_alloc_aligned(alignment, size, family, caller);
    if (RXP_LIKELY(block != NULL) || current_handler(caller) == NULL)
        return block;
    form *next = (form *)runtime_function("_ZnwmSt11align_val_tRKSt9nothrow_t", caller);
    return next != NULL ? next(size, alignment, nothrow) : NULL;
}

/* --- the names -------------------------------------------------------------------------------- */

/* std::size_t mangles as m, std::align_val_t is a std::size_t, std::nothrow_t is passed by address.
 */
RXP_EXPORT void *_Znwm(size_t size);
RXP_EXPORT void *_Znam(size_t size);
RXP_EXPORT void *_ZnwmSt11align_val_t(size_t size, size_t alignment);
RXP_EXPORT void *_ZnamSt11align_val_t(size_t size, size_t alignment);
RXP_EXPORT void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow);
RXP_EXPORT void *_ZnamRKSt9nothrow_t(size_t size, const void *nothrow);
RXP_EXPORT void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment,
                                                    const void *nothrow);
RXP_EXPORT void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment,
                                                    const void *nothrow);

void *_Znwm(size_t size) {
    void *block = new_fast(size);
    return RXP_LIKELY(block != NULL) ? block : new_slow(size, RXP_RETURN_ADDRESS());
}

void *_Znam(size_t size) {
    void *block = new_fast(size);
    return RXP_LIKELY(block != NULL) ? block : new_array_slow(size, RXP_RETURN_ADDRESS());
}

void *_ZnwmSt11align_val_t(size_t size, size_t alignment) {
    return new_aligned(size, alignment, HEAP_NEW, RXP_RETURN_ADDRESS());
}

void *_ZnamSt11align_val_t(size_t size, size_t alignment) {
    return new_aligned(size, alignment, HEAP_NEW_ARRAY, RXP_RETURN_ADDRESS());
}

void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow) {
    void *block = new_fast(size);
    return RXP_LIKELY(block != NULL) ? block
                                     : new_nothrow(size, nothrow, HEAP_NEW, RXP_RETURN_ADDRESS());
}

void *_ZnamRKSt9nothrow_t(size_t size, const void *nothrow) {
    void *block = new_fast(size);
    return RXP_LIKELY(block != NULL)
               ? block
               : new_nothrow(size, nothrow, HEAP_NEW_ARRAY, RXP_RETURN_ADDRESS());
}

void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const void *nothrow) {
    return new_aligned_nothrow(size, alignment, nothrow, HEAP_NEW, RXP_RETURN_ADDRESS());
}

void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const void *nothrow) {
    return new_aligned_nothrow(size, alignment, nothrow, HEAP_NEW_ARRAY, RXP_RETURN_ADDRESS());
}

/*
 * Every form of delete is free: the size and the alignment are the block's own. One macro for each
 * number of parameters; `slow` is the family's.
 */
#define DELETE_BODY(slow)                                                                          \
    if (RXP_UNLIKELY(!engine_free_fast(block, 0)))                                                 \
    slow(block, RXP_RETURN_ADDRESS())
#define DELETE_1(mangled, slow)                                                                    \
    RXP_EXPORT void mangled(void *block);                                                          \
    void mangled(void *block) {                                                                    \
        DELETE_BODY(slow);                                                                         \
    }
#define DELETE_2(mangled, slow, second)                                                            \
    RXP_EXPORT void mangled(void *block, second b);                                                \
    void mangled(void *block, second b) {                                                          \
        (void)b;                                                                                   \
        DELETE_BODY(slow);                                                                         \
    }
#define DELETE_3(mangled, slow, second, third)                                                     \
    RXP_EXPORT void mangled(void *block, second b, third c);                                       \
    void mangled(void *block, second b, third c) {                                                 \
        (void)b;                                                                                   \
        (void)c;                                                                                   \
        DELETE_BODY(slow);                                                                         \
    }

typedef const void *nothrow_t;

DELETE_1(_ZdlPv, dropin_route.free_new)
DELETE_1(_ZdaPv, dropin_route.free_new_array)
DELETE_2(_ZdlPvm, dropin_route.free_new, size_t)
DELETE_2(_ZdaPvm, dropin_route.free_new_array, size_t)
DELETE_2(_ZdlPvSt11align_val_t, dropin_route.free_new, size_t)
DELETE_2(_ZdaPvSt11align_val_t, dropin_route.free_new_array, size_t)
DELETE_2(_ZdlPvRKSt9nothrow_t, dropin_route.free_new, nothrow_t)
DELETE_2(_ZdaPvRKSt9nothrow_t, dropin_route.free_new_array, nothrow_t)
DELETE_3(_ZdlPvmSt11align_val_t, dropin_route.free_new, size_t, size_t)
DELETE_3(_ZdaPvmSt11align_val_t, dropin_route.free_new_array, size_t, size_t)
DELETE_3(_ZdlPvSt11align_val_tRKSt9nothrow_t, dropin_route.free_new, size_t, nothrow_t)
DELETE_3(_ZdaPvSt11align_val_tRKSt9nothrow_t, dropin_route.free_new_array, size_t, nothrow_t)
