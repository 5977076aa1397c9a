/* What the checked build asks of the engine: base/backend.h over engine.h. */
#include "base/backend.h"
#include "ex/fault.h"
#include "ex/raise.h"
#include "ex/range.h"
#include "ex/slab.h"
#include "ex/special.h"

/* Of a POOL_TYPE. */
#define TYPE_PAGED 1u
#define TYPE_NX 512u

static enum backend_kind lookup(const void *address, uintptr_t *start, uint32_t *tag) {
    struct engine_block b;
    enum engine_verdict verdict = engine_lookup(address, &b);

    *start = b.start;
    *tag = b.tag;
    switch (verdict) {
    case ENGINE_OK:
        return BACKEND_BLOCK;
    case ENGINE_INTERIOR:
        return BACKEND_INTERIOR;
    case ENGINE_FOREIGN:
        return BACKEND_FOREIGN;
    default:
        return BACKEND_UNUSED;
    }
}

static bool guarded(const struct guard_request *q, struct guard_place *out) {
    uint32_t type = q->type & TYPE_PAGED ? ACCOUNT_PAGED
                    : q->type & TYPE_NX  ? 0
                                         : ACCOUNT_EXECUTABLE;

    return special_serve_checked(ACCOUNT_KEY(q->tag, type, 0), q, out);
}

static uint64_t guarded_around(const void *address) {
    const struct slab *slab = range_slab(address);
    const struct special_slot *slot;

    if (slab == NULL || STATE_LOAD(&slab->kind) != SLAB_SPECIAL)
        return 0;
    slot = special_slot_near(slab, (uintptr_t)address);
    return slot != NULL ? slot->block : 0;
}

static bool fault_judge(const struct backend_request *q) {
    const struct fault_request r = {.size = q->size,
                                    .tag = q->tag & ~(uint32_t)PROTECTED_POOL,
                                    .line = q->line,
                                    .file = q->file,
                                    .caller = q->pc,
                                    .paged = (q->type & PagedPool) != 0};
    bool fails = fault_inject(&r);

    if (fails && (q->type & POOL_RAISE_IF_ALLOCATION_FAILURE))
        raise_status(STATUS_INSUFFICIENT_RESOURCES, RXP_RETURN_ADDRESS());
    fault_exempt(!fails);
    return fails;
}

static void fault_over(void) {
    fault_exempt(false);
}

static void writes_all(void) {
    atomic_store_explicit(&slab_writes_all, true, memory_order_relaxed);
}

const struct pool_backend *pool_backend(void) {
    static const struct pool_backend backend = {lookup,
                                                engine_free_direct,
                                                engine_counted,
                                                engine_hold,
                                                engine_hold_block,
                                                engine_hold_instead,
                                                engine_free_held,
                                                engine_free_noted,
                                                engine_alloc_again,
                                                engine_each_live,
                                                engine_alloc_pool,
                                                engine_list_goes_on,
                                                engine_set_describe,
                                                guarded,
                                                guarded_around,
                                                special_set_tell,
                                                fault_judge,
                                                fault_over,
                                                writes_all};
    return &backend;
}
