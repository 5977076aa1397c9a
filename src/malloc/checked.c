/* The drop-in on checked blocks: see checked.h. */
#include "malloc/checked.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/options.h"
#include "ex/special.h"
#include "malloc/dropin.h"
#include "malloc/fail.h"
#include "malloc/module.h"
#include "malloc/region.h"

bool dropin_checked;

/* --- what checked blocks are made of ---------------------------------------------------------- */

static void *take_memory(size_t size, size_t alignment, unsigned flags, const struct caller *c) {
    unsigned engine_flags = flags & HEAP_ZERO ? ENGINE_ZERO : 0;
    struct dropin_account account = dropin_account(c->pc);
    engine_flags |= account.flags;
    if (RXP_LIKELY(alignment <= _Alignof(max_align_t)))
        return engine_alloc(account.alias, account.key, size, engine_flags);
    return engine_alloc_aligned(account.alias, account.key, size, alignment, engine_flags);
}

static struct backend_memory take_quickly(size_t size, const struct caller *c) {
    return engine_alloc_direct(dropin_alias(c->pc), size);
}

static bool take_guarded(const struct guard_request *q, struct guard_place *out) {
    return special_serve_checked(dropin_account(q->caller).key, q, out);
}

static size_t memory_size(const void *memory) {
    size_t size = engine_size(memory);
    return size != 0 ? size : special_size(memory);
}

static const struct check_heap heap = {DROPIN_TAG,  take_memory,  take_quickly,   engine_resize,
                                       memory_size, take_guarded, region_describe};

void checked_start(void) {
    if (!options_get()->checked)
        return;
    if (engine_root() != NULL) /* another library's constructor was here before */
        check_heap_unrecorded();
    engine_slow_always = true;
    module_start();
    dropin_checked = check_heap_use(&heap);
    dropin_rare |= dropin_checked;
    if (dropin_checked)
        dropin_route_checked();
    else
        report_note("checked=1: no memory for records, blocks are not checked");
}

/* --- calls from signal handlers ----------------------------------------------------------------- */

/*
 * A handler may run while its thread is anywhere in here and hold what its own call would wait for. So
 * a nested call goes round the checks: what it allocates has no record, and what it frees is freed by
 * the next call that is not nested.
 */
static __thread bool inside __attribute__((tls_model("initial-exec")));

enum { EMPTY, FILLED, READY };

static struct deferred {
    _Atomic int state;
    enum heap_family family;
    void *block;
    const void *caller;
} deferred[64];

static _Atomic bool any_deferred;

/* Where all places are taken, the block is never freed. */
static RXP_COLD void defer_free(void *block, enum heap_family family, const void *caller) {
    for (size_t i = 0; i < RXP_COUNT(deferred); i++) {
        int empty = EMPTY;
        if (!atomic_compare_exchange_strong(&deferred[i].state, &empty, FILLED))
            continue;
        deferred[i].family = family;
        deferred[i].block = block;
        deferred[i].caller = caller;
        atomic_store(&deferred[i].state, READY);
        atomic_store(&any_deferred, true);
        return;
    }
}

static RXP_COLD void free_deferred(void) {
    atomic_store(&any_deferred, false);
    for (size_t i = 0; i < RXP_COUNT(deferred); i++) {
        int ready = READY;
        if (!atomic_compare_exchange_strong(&deferred[i].state, &ready, FILLED))
            continue;
        struct deferred d = {0, deferred[i].family, deferred[i].block, deferred[i].caller};
        atomic_store(&deferred[i].state, EMPTY);
        checked_free(d.block, d.family, d.caller);
    }
}

/* --- the operations ---------------------------------------------------------------------------- */

static struct caller caller_of(const char *routine, const void *pc) {
    return (struct caller){.routine = routine, .pc = pc};
}

static RXP_COLD void *alloc_unrecorded(size_t size, size_t alignment, unsigned flags,
                                       const void *caller) {
    const struct caller c = caller_of(NULL, caller);
    check_heap_unrecorded();
    return take_memory(size, alignment, flags, &c);
}

RXP_INLINE void *alloc(size_t size, size_t alignment, unsigned flags, enum heap_family family,
                       const void *caller) {
    static const char *const routine[] = {
        [HEAP_MALLOC] = "malloc", [HEAP_NEW] = "operator new", [HEAP_NEW_ARRAY] = "operator new[]"};
    int error = errno;
    void *block;
    if (RXP_UNLIKELY(inside)) {
        block = alloc_unrecorded(size, alignment, flags, caller);
    } else {
        struct caller c = caller_of(routine[family], caller);
        inside = true;
        block = check_heap_allocate(size, alignment, flags, family, &c);
        inside = false;
    }
    errno = RXP_LIKELY(block != NULL) ? error : ENOMEM;
    return block;
}

RXP_INLINE void end(void *block, enum heap_family family, const void *caller) {
    static const char *const routine[] = {[HEAP_MALLOC] = "free",
                                          [HEAP_NEW] = "operator delete",
                                          [HEAP_NEW_ARRAY] = "operator delete[]"};
    int error = errno;
    if (RXP_UNLIKELY(inside)) {
        defer_free(block, family, caller);
    } else {
        struct caller c = caller_of(routine[family], caller);
        inside = true;
        check_heap_free(block, family, &c);
        inside = false;
        if (RXP_UNLIKELY(atomic_load_explicit(&any_deferred, memory_order_relaxed)))
            free_deferred();
    }
    errno = error;
}

void *checked_alloc(size_t size, size_t alignment, unsigned flags, enum heap_family family,
                    const void *caller) {
    return alloc(size, alignment, flags, family, caller);
}

void checked_free(void *block, enum heap_family family, const void *caller) {
    end(block, family, caller);
}

bool checked_is_nested(void) {
    return inside;
}

void *checked_realloc(void *block, size_t size, const void *caller) {
    int error = errno;
    struct caller c = caller_of("realloc", caller);
    inside = true;
    void *moved = check_heap_resize(block, size, HEAP_MALLOC, &c);
    inside = false;
    errno = RXP_LIKELY(moved != NULL) ? error : ENOMEM;
    return moved;
}

size_t checked_size(const void *block) {
    if (RXP_UNLIKELY(inside))
        return 0;
    inside = true;
    size_t size = check_heap_size(block);
    inside = false;
    return size;
}

/* --- the entry points' ways ---------------------------------------------------------------------- */

static void *alloc_or_fail(size_t size, unsigned flags, enum heap_family family,
                           const void *caller) {
    if (fail_inject(size, caller)) {
        errno = ENOMEM;
        return NULL;
    }
    return alloc(size, NO_ALIGNMENT, flags, family, caller);
}

/* Everything that every call does inline, and once for each family: what is known of it need not be handed on. */
RXP_INLINE void *alloc_checked(size_t size, unsigned flags, enum heap_family family,
                               const void *caller) {
    return RXP_UNLIKELY(dropin_failing) ? alloc_or_fail(size, flags, family, caller)
                                        : alloc(size, NO_ALIGNMENT, flags, family, caller);
}

static void *checked_malloc(size_t size, const void *caller) {
    return alloc_checked(size, 0, HEAP_MALLOC, caller);
}

static void *checked_calloc(size_t size, const void *caller) {
    return alloc_checked(size, HEAP_ZERO, HEAP_MALLOC, caller);
}

static void *checked_new(size_t size, const void *caller) {
    return alloc_checked(size, 0, HEAP_NEW, caller);
}

static void *checked_new_array(size_t size, const void *caller) {
    return alloc_checked(size, 0, HEAP_NEW_ARRAY, caller);
}

static void free_checked(void *block, const void *caller) {
    end(block, HEAP_MALLOC, caller);
}

static void free_checked_new(void *block, const void *caller) {
    end(block, HEAP_NEW, caller);
}

static void free_checked_new_array(void *block, const void *caller) {
    end(block, HEAP_NEW_ARRAY, caller);
}

void dropin_route_checked(void) {
    dropin_route = (struct dropin_routes){checked_malloc,        checked_calloc, checked_new,
                                          checked_new_array,     free_checked,   free_checked_new,
                                          free_checked_new_array};
}
