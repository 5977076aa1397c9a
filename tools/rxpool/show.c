/* A table for people. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "modules.h"
#include "stats/table.h"
#include "tool.h"

static void put_line(FILE *out, struct text *t) {
    fwrite(t->buffer, 1, t->length, out);
    text_init(t, t->buffer, t->capacity);
}

/* The caller's to free; NULL for the name that the row has. */
static char *shown_name(const struct rxpool_stats *stats, const struct rxpool_stats_row *row,
                        const struct modules *modules) {
    char *shown = NULL;
    const char *site = rxpool_stats_name(stats, row->name), *binary;

    if (row->name == 0)
        return (binary = pooltag_binary(row->tag)) != NULL ? strdup(binary) : NULL;
    char *place = row->line == 0 ? modules_place(modules, site) : NULL;
    if (place != NULL && asprintf(&shown, "%s (%s)", place, site) < 0)
        shown = NULL;
    free(place);
    return shown;
}

void show_table(FILE *out, const struct rxpool_stats *stats, const struct modules *modules) {
    char line[TABLE_LINE];
    struct text t;
    const struct rxpool_stats_row *row;
    bool torn = false;

    text_init(&t, line, sizeof(line));
    table_header(&t, rxpool_stats_summary(stats));
    put_line(out, &t);
    for (uint32_t i = 0; (row = rxpool_stats_row(stats, i)) != NULL; i++) {
        char *shown = shown_name(stats, row, modules);
        table_row(&t, stats, row, shown);
        free(shown);
        put_line(out, &t);
        torn = torn || (row->flags & RXPOOL_STATS_TORN) != 0;
    }
    table_total(&t, stats);
    put_line(out, &t);
    if (torn)
        fputs("~ changed while it was read: allocs and frees may be off\n", out);
}
