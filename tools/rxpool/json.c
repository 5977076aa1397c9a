/* The table as a JSON record. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "modules.h"
#include "tool.h"

/* "name", or "name:line". Names are what the target holds; JSON takes UTF-8 only. */
static json_t *name_value(const char *name, uint32_t line) {
    json_t *value = line != 0 ? json_sprintf("%s:%u", name, (unsigned)line) : json_string(name);

    if (value != NULL)
        return value;
    char *copy = strdup(name);
    if (copy == NULL)
        return NULL;
    for (char *p = copy; *p != '\0'; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    value = line != 0 ? json_sprintf("%s:%u", copy, (unsigned)line) : json_string(copy);
    free(copy);
    return value;
}

/* A site is FILE:LINE, or MODULE+OFFSET of the drop-in, which tells the module too. */
static void set_name(json_t *value, const struct rxpool_stats *stats,
                     const struct rxpool_stats_row *row) {
    const char *name = rxpool_stats_name(stats, row->name), *plus = strstr(name, "+0x");
    bool site = row->line != 0 || plus != NULL;

    if (!site)
        json_object_set_new(value, "module", name_value(name, 0));
    if (row->line == 0 && plus != NULL) {
        char *module = strdup(name);
        if (module != NULL) {
            module[plus - name] = '\0';
            json_object_set_new(value, "module", name_value(module, 0));
        }
        free(module);
    }
    if (site)
        json_object_set_new(value, "site", name_value(name, row->line));
}

static void set_place(json_t *value, const struct rxpool_stats *stats,
                      const struct rxpool_stats_row *row, const struct modules *modules) {
    char *place =
        row->line == 0 ? modules_place(modules, rxpool_stats_name(stats, row->name)) : NULL;

    if (place != NULL)
        json_object_set_new(value, "place", name_value(place, 0));
    free(place);
}

static json_t *row_value(const struct rxpool_stats *stats, const struct rxpool_stats_row *row,
                         const struct modules *modules) {
    char tag[20];
    struct text t;

    text_init(&t, tag, sizeof(tag));
    text_tag(&t, row->tag);
    json_t *value = json_pack("{s:s, s:s}", "tag", tag, "type",
                              row->flags & RXPOOL_STATS_PAGED ? "Paged" : "Nonp");
    if (row->name != 0)
        set_name(value, stats, row);
    set_place(value, stats, row, modules);
    json_object_set_new(value, "allocs", json_integer((json_int_t)row->allocs));
    json_object_set_new(value, "frees", json_integer((json_int_t)row->frees));
    json_object_set_new(value, "diff", json_integer((json_int_t)row->diff));
    json_object_set_new(value, "bytes", json_integer((json_int_t)row->bytes));
    json_object_set_new(value, "per_alloc", json_integer((json_int_t)row->per_alloc));
    if (rxpool_stats_summary(stats)->checked)
        json_object_set_new(value, "caller_bytes", json_integer((json_int_t)row->caller_bytes));
    if (row->flags & RXPOOL_STATS_TORN)
        json_object_set_new(value, "torn", json_true());
    return value;
}

bool write_json(FILE *out, const struct rxpool_stats *stats, const struct modules *modules) {
    const struct rxpool_stats_row *row;
    json_t *pools = json_array();
    bool whole = true;

    for (uint32_t i = 0; (row = rxpool_stats_row(stats, i)) != NULL; i++)
        whole = json_array_append_new(pools, row_value(stats, row, modules)) == 0 && whole;
    json_t *record = json_pack("{s:i, s:I, s:o}", "version", 1, "pid",
                               (json_int_t)rxpool_stats_summary(stats)->pid, "pools", pools);
    bool written = whole && record != NULL && json_dumpf(record, out, JSON_COMPACT) == 0 &&
                   fputc('\n', out) != EOF && fflush(out) == 0;
    json_decref(record);
    return written;
}
