/* What the fuzz targets share: see fuzz.h. */
#include "fuzz.h"

#include <stdatomic.h>
#include <string.h>

#include "base/base.h"
#include "check/heap.h"
#include "check/registry.h"

/* --- input ----------------------------------------------------------------------------------- */

unsigned take_byte(struct input *in) {
    return in->at < in->end ? *in->at++ : 0;
}

uint64_t take_word(struct input *in) {
    uint64_t word = 0;
    for (unsigned i = 0; i < 8; i++)
        word |= (uint64_t)take_byte(in) << 8 * i;
    return word;
}

unsigned take_below(struct input *in, unsigned n) {
    return take_byte(in) % n;
}

uint32_t take_size(struct input *in, uint32_t most) {
    static const uint32_t edges[] = {4096, 4095,  4064,  4063,  4097,  2048,  2049,   8192,
                                     8191, 16384, 32768, 32735, 32736, 65536, 131072, 262144};
    unsigned how = take_byte(in);
    uint32_t size = 1;
    if (how < 160)
        size = how + 1;
    else if (how < 176)
        size = edges[how - 160] + take_byte(in) % 3 - 1;
    else
        size = (take_byte(in) | (how & 15) << 8) + 1;
    return size <= most ? size : most;
}

uint32_t take_type(struct input *in) {
    static const uint32_t types[] = {
        NonPagedPoolNx,
        PagedPool,
        NonPagedPool,
        NonPagedPoolNxCacheAligned,
        PagedPoolCacheAligned,
        NonPagedPoolNx | POOL_ZERO_ALLOCATION,
        PagedPool | POOL_ZERO_ALLOCATION,
        NonPagedPoolNx | POOL_COLD_ALLOCATION,
    };
    return types[take_below(in, RXP_COUNT(types))];
}

/* --- reports --------------------------------------------------------------------------------- */

#define KEPT 64u /* reports, for what a failure has to say */

struct said said;
static char last_report[8192];
static char kept[KEPT][256];
static unsigned reports;

void fuzz_forget(void) {
    said = (struct said){0};
    reports = 0;
}

void fuzz_options(const char *options) {
    setenv("RXPOOL_OPTIONS", options, 1);
}

void __wrap_plat_report(const char *file, const char *text, size_t length);

/* The lines of a report that tell it from others. */
static void keep(const char *report) {
    static const char *const keys[] = {"what: ", "block: ", "damage: ", "detected by: "};
    char *out = kept[reports++ % KEPT];
    size_t used = 0;
    for (size_t i = 0; i < RXP_COUNT(keys); i++) {
        const char *line = strstr(report, keys[i]);
        size_t length = line != NULL ? strcspn(line, "\n") : 0;
        if (length > 60)
            length = 60;
        if (length != 0)
            memcpy(out + used, line, length);
        used += length;
        out[used++] = ' ';
    }
    out[used] = '\0';
}

/* One thread reports at a time. */
void __wrap_plat_report(const char *file, const char *text, size_t length) {
    size_t bytes = length < sizeof last_report ? length : sizeof last_report - 1;
    (void)file;
    memcpy(last_report, text, bytes);
    last_report[bytes] = '\0';
    keep(last_report);
    if (strncmp(last_report, "*** WARNING", 11) == 0) {
        said.warnings++;
    } else if (strncmp(last_report, "*** LEAKS", 9) == 0) {
        said.leaks++;
    } else if (strncmp(last_report, "rxpool: ", 8) == 0) {
        said.notes++;
    } else if (strncmp(last_report, "*** STOP", 8) == 0) {
        bool late =
            strstr(last_report, "\nwhat: a block was written to after it was freed\n") != NULL;
        said.stops++;
        said.late_writes += late;
        said.by_sweep += !late && strstr(last_report, "\ndetected by: sweep\n") != NULL;
        said.lists += strstr(last_report, " BAD_POOL") == NULL &&
                      strstr(last_report, "(0x000000000000000D") != NULL;
    }
}

_Noreturn void fuzz_failed(const char *file, int line, const char *what) {
    fprintf(stderr, "%s:%d: failed: %s\nlast report:\n%s\nreports before it:\n", file, line, what,
            last_report);
    for (unsigned i = reports > KEPT ? reports - KEPT : 0; i < reports; i++)
        fprintf(stderr, "%s\n", kept[i % KEPT]);
    abort();
}

/* --- blocks of malloc's kind ----------------------------------------------------------------- */

static void *allocate(size_t size, size_t alignment, unsigned flags, const struct caller *c) {
    POOL_TYPE type = (POOL_TYPE)(NonPagedPoolNx | (flags & HEAP_ZERO ? POOL_ZERO_ALLOCATION : 0));
    (void)c;
    /* From a page up the pool aligns to pages; no more is asked for. */
    return ExAllocatePoolWithTag(type, alignment > 16 && size < 4096 ? 4096 : size, FUZZ_HEAP_TAG);
}

static size_t size_of(const void *memory) {
    BOOLEAN charged;
    return ExQueryPoolBlockSize((void *)(uintptr_t)memory, &charged);
}

static bool resize(void *memory, size_t size) {
    return size <= size_of(memory);
}

static void describe(struct text *out, const void *address) {
    (void)address;
    text_string(out, "somewhere");
}

void fuzz_heap_start(void) {
    static const struct check_heap heap = {.tag = FUZZ_HEAP_TAG,
                                           .allocate = allocate,
                                           .resize = resize,
                                           .size = size_of,
                                           .describe = describe};
    MUST(check_heap_use(&heap));
}
