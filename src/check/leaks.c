/* What is still allocated, by tag and site. */
#include "check/check.h"

#include "base/backend.h"
#include "base/options.h"
#include "check/sites.h"

#define RXPOOL_CHECKED 1
#include <ntrxdef.h>

#define GROUPS_MAX 256u /* lines of the list; further tags and sites share the last one */
#define LINE_CAPACITY 256
#define STATUS_LEAKS 0x62u /* parameter 1 of 0xC4: unload with allocations left */

struct group {
    uint32_t tag, site;
    uint16_t paged;
    uint64_t blocks, bytes;
};

/* One list at a time; too large for a kernel's stack. */
static struct {
    struct plat_lock lock;
    struct group group[GROUPS_MAX];
    unsigned count;
    uint64_t blocks, bytes;
} leaks;

/* A plain block was perhaps freed by its other owner, who does not tell us: believe the pool. */
static bool still_there(const struct record_info *info) {
    uintptr_t start;
    uint32_t tag;
    const struct pool_backend *backend = pool_backend();
    return backend != NULL &&
           backend->lookup((void *)(uintptr_t)info->block, &start, &tag) == BACKEND_BLOCK &&
           tag == (info->tag & ~(uint32_t)PROTECTED_POOL);
}

static void count_block(void *argument, const struct record_info *info) {
    (void)argument;
    if (info->kind == RECORD_SIGNED || (info->kind == RECORD_OTHERS && !still_there(info)))
        return;
    leaks.blocks++;
    leaks.bytes += info->size;
    struct group *g = leaks.group;
    for (; g < leaks.group + leaks.count; g++) {
        if (g->tag == info->tag && g->site == info->alloc_site && g->paged == (info->type & 1))
            break;
    }
    if (g == leaks.group + leaks.count) {
        if (leaks.count == GROUPS_MAX) {
            g--;
        } else {
            leaks.count++;
            *g = (struct group){info->tag, info->alloc_site, info->type & 1, 0, 0};
        }
    }
    g->blocks++;
    g->bytes += info->size;
}

static void sort_groups(void) {
    for (unsigned i = 1; i < leaks.count; i++) {
        struct group g = leaks.group[i];
        unsigned at = i;
        for (; at > 0 && leaks.group[at - 1].bytes < g.bytes; at--)
            leaks.group[at] = leaks.group[at - 1];
        leaks.group[at] = g;
    }
}

/* "3 blocks, 192 bytes" */
static void put_amount(struct text *t, uint64_t blocks, uint64_t bytes) {
    text_decimal(t, blocks);
    text_string(t, blocks == 1 ? " block, " : " blocks, ");
    text_decimal(t, bytes);
    text_string(t, bytes == 1 ? " byte" : " bytes");
}

static void say(struct text *t) {
    text_char(t, '\n');
    plat_report(options_get()->report, t->buffer, t->length);
}

static void say_group(const struct group *g) {
    char buffer[LINE_CAPACITY];
    struct text t;
    uint32_t line;
    const char *file = sites_file(g->site, &line);
    text_init(&t, buffer, sizeof buffer - 1);
    text_string(&t, "leak: ");
    put_amount(&t, g->blocks, g->bytes);
    text_string(&t, " tag ");
    text_tag(&t, g->tag & ~(uint32_t)PROTECTED_POOL);
    text_string(&t, g->paged ? " type Paged" : " type Nonp");
    if (file != NULL) {
        text_string(&t, " allocated at ");
        text_string(&t, file);
        text_char(&t, ':');
        text_decimal(&t, line);
    }
    t.capacity++; /* room for the line's end was kept */
    say(&t);
}

static void say_summary(const struct caller *c) {
    char buffer[LINE_CAPACITY];
    struct text t;
    text_init(&t, buffer, sizeof buffer);
    text_string(&t, "*** LEAKS: ");
    put_amount(&t, leaks.blocks, leaks.bytes);
    text_string(&t, " not freed at ");
    text_string(&t, c->routine);
    say(&t);
}

static void stop_for_leaks(const struct caller *c, uint64_t blocks, uint64_t bytes) {
    struct stop_report *r = stop_claim();
    stop_begin(r, STOP_DRIVER_VERIFIER, STATUS_LEAKS, 0, 0, blocks, "blocks were not freed");
    put_amount(stop_line(r, "leaked"), blocks, bytes);
    stop_end_line(r);
    text_string(stop_line(r, "detected by"), c->routine);
    stop_end_line(r);
    stop_commit(r);
}

size_t check_leaks(const struct caller *c) {
    check_drain(true, c);
    plat_lock_acquire(&leaks.lock);
    leaks.count = 0;
    leaks.blocks = leaks.bytes = 0;
    registry_each_live(count_block, NULL);
    uint64_t blocks = leaks.blocks, bytes = leaks.bytes;
    if (blocks != 0) {
        sort_groups();
        say_summary(c);
        for (unsigned i = 0; i < leaks.count; i++)
            say_group(&leaks.group[i]);
    }
    plat_lock_release(&leaks.lock);
    if (blocks != 0 && options_get()->leaks == OPTIONS_LEAKS_FATAL)
        stop_for_leaks(c, blocks, bytes);
    return (size_t)blocks;
}
