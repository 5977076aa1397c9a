/*
 * What a program has the system do to its blocks: see heap.h. The system makes such an access itself, where no guard
 * page stops it and no instruction can be blamed; so the call is looked at before it is made.
 */
#include "base/backend.h"
#include "base/lines.h"
#include "base/options.h"
#include "check/heap.h"
#include "check/inside.h"

#define UNWRITTEN_LEAST 16u /* bytes of the fill that are no chance */

/* Whether all of them hold what fresh blocks are filled with. */
static bool is_fresh(const unsigned char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != BLOCK_FRESH)
            return false;
    return true;
}

/* A block that the quarantine does not hold is remembered by its start, as long as nothing lies there. */
static bool find_gone(const void *memory, struct record_info *out) {
    const struct pool_backend *backend = pool_backend();
    uintptr_t start;
    uint32_t tag;
    return backend != NULL && backend->lookup(memory, &start, &tag) == BACKEND_UNUSED &&
           registry_find((uintptr_t)memory, out) && out->state == RECORD_GHOST;
}

void check_heap_access(const void *memory, size_t bytes, bool write, const struct caller *c) {
    uint64_t at = (uintptr_t)memory;
    struct record_info info;
    if (bytes == 0 || (!check_find_around((uintptr_t)memory, &info) && !find_gone(memory, &info)) ||
        info.family == 0)
        return;
    if (info.state != RECORD_LIVE && info.state != RECORD_BUSY)
        report_access(c, &info, at, write);
    else if (!lines_within(info.block, info.size, at, bytes))
        report_access(c, &info, lines_first_outside(info.block, info.size, at), write);
    else if (!write && bytes >= UNWRITTEN_LEAST && options_get()->fill && is_fresh(memory, bytes))
        warn_unwritten(c, &info, at);
}
