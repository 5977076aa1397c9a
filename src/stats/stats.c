/* The public calls of stats.h. */
#include <unistd.h>

#include "stats/reader.h"

enum rxpool_stats_status stats_short_of_memory(struct rxpool_stats_error *error) {
    return stats_fail(error, RXPOOL_STATS_MEMORY, "short of memory for the pool's table");
}

enum rxpool_stats_status stats_unreadable(struct rxpool_stats *s, const char *what,
                                          uint64_t address, struct rxpool_stats_error *error) {
    if (!s->memory.alive(&s->memory))
        return stats_fail(error, RXPOOL_STATS_GONE, "process %u has ended", s->memory.pid);
    return stats_fail(error, RXPOOL_STATS_DAMAGED,
                      "the pool's tables %s: %s at 0x%llx cannot be read",
                      s->memory.frozen ? "are damaged, or the core is cut short" : "are damaged",
                      what, (unsigned long long)address);
}

/* The handle lies in an area of its own, whose size it keeps. */
enum rxpool_stats_status stats_start(const struct memory *memory, struct rxpool_stats **stats,
                                     struct rxpool_stats_error *error) {
    struct area self = {0};
    enum rxpool_stats_status status = RXPOOL_STATS_OK;
    struct memory own = *memory;

    *stats = NULL;
    if (!area_reserve(&self, sizeof(struct rxpool_stats))) {
        own.close(&own);
        return stats_short_of_memory(error);
    }
    struct rxpool_stats *s = self.start;
    s->self = self;
    s->memory = own;
    status = root_find(s, error);
    if (status == RXPOOL_STATS_OK)
        status = root_read(s, error);
    if (status != RXPOOL_STATS_OK)
        rxpool_stats_close(s);
    else
        *stats = s;
    return status;
}

enum rxpool_stats_status rxpool_stats_open_pid(pid_t pid, struct rxpool_stats **stats,
                                               struct rxpool_stats_error *error) {
    struct memory memory;
    enum rxpool_stats_status status = memory_open_process(&memory, pid, error);

    *stats = NULL;
    return status != RXPOOL_STATS_OK ? status : stats_start(&memory, stats, error);
}

enum rxpool_stats_status rxpool_stats_open_self(struct rxpool_stats **stats,
                                                struct rxpool_stats_error *error) {
    return rxpool_stats_open_pid(getpid(), stats, error);
}

enum rxpool_stats_status rxpool_stats_open_core(const char *path, struct rxpool_stats **stats,
                                                struct rxpool_stats_error *error) {
    struct memory memory;
    enum rxpool_stats_status status = memory_open_core(&memory, path, error);

    *stats = NULL;
    return status != RXPOOL_STATS_OK ? status : stats_start(&memory, stats, error);
}

static enum rxpool_stats_status read_tallies(struct rxpool_stats *s,
                                             struct rxpool_stats_error *error) {
    enum rxpool_stats_status status = root_read(s, error);

    if (status == RXPOOL_STATS_OK)
        status = scan_slabs(s, error);
    if (status == RXPOOL_STATS_OK)
        status = settle(s, error);
    return status == RXPOOL_STATS_OK ? scan_counters(s, error) : status;
}

/* One library serves both builds: the program is a checked one as soon as a block has a header. */
static bool has_checked_blocks(const struct rxpool_stats *s) {
    const struct rxpool_stats_row *row;

    for (uint32_t i = 0; (row = rxpool_stats_row(s, i)) != NULL; i++)
        if (row->caller_bytes != row->bytes)
            return true;
    return false;
}

static void summarize(struct rxpool_stats *s) {
    s->summary.version = RXPOOL_STATS_VERSION;
    s->summary.pid = s->memory.pid != 0 ? s->memory.pid : s->root.pid_at_start;
    s->summary.by = s->root.by;
    s->summary.checked = s->root.checked != 0 || has_checked_blocks(s);
    s->summary.live_bytes = s->root.live_bytes;
    s->summary.idle_bytes = s->root.dirty_bytes;
    s->summary.foreign_frees = s->root.foreign_frees;
}

enum rxpool_stats_status rxpool_stats_read(struct rxpool_stats *s,
                                           struct rxpool_stats_error *error) {
    s->summary.rows = 0;
    s->names_used = 1; /* offset 0 is "" */
    area_release(&s->name_of_site);
    if (!area_renew(&s->tallies, ACCOUNTS_MAX * sizeof(struct tally)) ||
        !area_reserve(&s->names, 1))
        return stats_short_of_memory(error);
    enum rxpool_stats_status status = read_tallies(s, error);
    if (status == RXPOOL_STATS_OK)
        status = make_rows(s, error);
    if (status != RXPOOL_STATS_OK)
        s->summary.rows = 0;
    summarize(s);
    return status;
}

const struct rxpool_stats_summary *rxpool_stats_summary(const struct rxpool_stats *s) {
    return &s->summary;
}

const struct rxpool_stats_row *rxpool_stats_row(const struct rxpool_stats *s, uint32_t index) {
    return index < s->summary.rows ? (const struct rxpool_stats_row *)s->rows.start + index : NULL;
}

const char *rxpool_stats_name(const struct rxpool_stats *s, uint32_t name) {
    return name < s->names_used ? (const char *)s->names.start + name : "";
}

void rxpool_stats_close(struct rxpool_stats *s) {
    if (s == NULL)
        return;
    struct area *areas[] = {&s->tallies, &s->accounts, &s->seen,  &s->slabs,
                            &s->pieces,  &s->rows,     &s->names, &s->name_of_site};
    for (size_t i = 0; i < RXP_COUNT(areas); i++)
        area_release(areas[i]);
    s->memory.close(&s->memory);
    struct area self = s->self;
    area_release(&self);
}
