/* glibc's malloc statistics and tuning, answered from the engine's totals. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>

#include "base/host.h"
#include "base/text.h"
#include "malloc/dropin.h"

/* The figures in glibc's division: what is mapped for one large block, and everything else. */
RXP_EXPORT struct mallinfo2 mallinfo2(void) {
    struct engine_totals totals;
    engine_totals(&totals);
    struct mallinfo2 info = {0};
    info.arena = totals.mapped_bytes - totals.span_bytes;
    info.hblks = totals.span_blocks;
    info.hblkhd = totals.span_bytes;
    info.uordblks = totals.live_bytes - totals.span_bytes;
    info.fordblks = info.arena > info.uordblks ? info.arena - info.uordblks : 0;
    info.keepcost = totals.idle_bytes;
    return info;
}

static int clamp(size_t n) {
    return n < INT_MAX ? (int)n : INT_MAX;
}

/* Its fields are int: what does not fit is shown as the most that does, not as a remainder. */
RXP_EXPORT struct mallinfo mallinfo(void) {
    struct mallinfo2 info = mallinfo2();
    return (struct mallinfo){
        .arena = clamp(info.arena),
        .hblks = clamp(info.hblks),
        .hblkhd = clamp(info.hblkhd),
        .uordblks = clamp(info.uordblks),
        .fordblks = clamp(info.fordblks),
        .keepcost = clamp(info.keepcost),
    };
}

/* glibc's document, version 1, with the one heap that there is. */
RXP_EXPORT int malloc_info(int options, FILE *stream) {
    if (options != 0)
        return EINVAL;
    struct mallinfo2 info = mallinfo2();
    int written =
        fprintf(stream,
                "<malloc version=\"1\">\n"
                "<heap nr=\"0\">\n<sizes>\n</sizes>\n"
                "<total type=\"fast\" count=\"0\" size=\"0\"/>\n"
                "<total type=\"rest\" count=\"1\" size=\"%zu\"/>\n"
                "<system type=\"current\" size=\"%zu\"/>\n</heap>\n"
                "<total type=\"fast\" count=\"0\" size=\"0\"/>\n"
                "<total type=\"rest\" count=\"1\" size=\"%zu\"/>\n"
                "<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n"
                "<system type=\"current\" size=\"%zu\"/>\n</malloc>\n",
                info.fordblks, info.arena, info.fordblks, info.hblks, info.hblkhd, info.arena);
    return written < 0 ? -1 : 0;
}

static void stats_row(struct text *t, const char *name, size_t value) {
    text_string(t, name);
    text_decimal(t, value);
    text_char(t, '\n');
}

/* On stderr, past stdio: a program may ask from where stdio's lock is held. */
RXP_EXPORT void malloc_stats(void) {
    char buffer[512];
    struct text t;
    struct mallinfo2 info = mallinfo2();
    text_init(&t, buffer, sizeof buffer);
    stats_row(&t, "system bytes     = ", info.arena + info.hblkhd);
    stats_row(&t, "in use bytes     = ", info.uordblks + info.hblkhd);
    stats_row(&t, "idle bytes       = ", info.keepcost);
    stats_row(&t, "large blocks     = ", info.hblks);
    stats_row(&t, "large bytes      = ", info.hblkhd);
    plat_report(NULL, t.buffer, t.length);
}

/* The pool keeps no top to leave `pad` bytes on. */
RXP_EXPORT int malloc_trim(size_t pad) {
    (void)pad;
    int error = errno;
    size_t given_back = engine_trim();
    errno = error;
    return given_back != 0;
}

/* glibc's knobs turn parts that the pool does not have. A known one succeeds, as advice. */
RXP_EXPORT int mallopt(int parameter, int value) {
    (void)value;
    switch (parameter) {
    case M_MXFAST:
    case M_TRIM_THRESHOLD:
    case M_TOP_PAD:
    case M_MMAP_THRESHOLD:
    case M_MMAP_MAX:
    case M_CHECK_ACTION:
    case M_PERTURB:
    case M_ARENA_TEST:
    case M_ARENA_MAX:
        return 1;
    default:
        return 0;
    }
}
