#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "stats/memory.h"

bool area_reserve(struct area *a, size_t size) {
    size_t want = rxp_round_up(size + 1, 65536);
    void *start;

    if (size < a->size)
        return true;
    if (want < a->size * 2)
        want = a->size * 2;
    start = area_map(want);
    if (start == NULL)
        return false;
    /* Copied, for ThreadSanitizer does not follow mremap: it would take an ended thread's stack for a race. */
    if (a->start != NULL) {
        memcpy(start, a->start, a->size);
        area_unmap(a->start, a->size);
    }
    *a = (struct area){start, want};
    return true;
}

bool area_renew(struct area *a, size_t size) {
    area_release(a);
    return area_reserve(a, size);
}

void area_release(struct area *a) {
    if (a->start != NULL)
        area_unmap(a->start, a->size);
    *a = (struct area){0};
}

enum rxpool_stats_status stats_fail(struct rxpool_stats_error *error,
                                    enum rxpool_stats_status status, const char *format, ...) {
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        error->status = status;
        vsnprintf(error->text, sizeof(error->text), format, arguments);
        va_end(arguments);
    }
    return status;
}

bool memory_read(struct memory *m, uint64_t address, void *out, size_t size) {
    return m->read(m, &(struct piece){address, out, size}, 1);
}
