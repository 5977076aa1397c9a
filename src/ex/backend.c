/* What the checked build asks of the engine: base/backend.h over engine.h. */
#include "base/backend.h"
#include "ex/engine.h"

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

static void hold(const void *block, int blocks) {
    engine_hold(block, blocks, blocks * (int64_t)engine_size(block), 0);
}

const struct pool_backend *pool_backend(void) {
    static const struct pool_backend backend = {lookup, hold, engine_set_describe};
    return &backend;
}
