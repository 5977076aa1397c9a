/* From accounts to rows: accounts that differ in nothing that a table shows become one. */
#include <string.h>

#include "stats/reader.h"

#define NAME_MOST 4096u

/* --- names ------------------------------------------------------------------------------------ */

/* Offset of the site's text in names; 0 where it cannot be read. */
static bool name_store(struct rxpool_stats *s, const struct site *site, uint32_t *offset) {
    size_t length = site->name_length < NAME_MOST ? site->name_length : NAME_MOST;

    *offset = 0;
    if (!area_reserve(&s->names, s->names_used + length + 1))
        return false;
    char *text = (char *)s->names.start + s->names_used;
    if (site->name == 0 || !memory_read(&s->memory, site->name, text, length))
        return true;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            text[i] = '?';
    text[length] = '\0';
    *offset = (uint32_t)s->names_used;
    s->names_used += length + 1;
    return true;
}

/* Looks a site up, once: sites never change. */
static bool name_of(struct rxpool_stats *s, uint32_t id, struct rxpool_stats_row *row) {
    struct named {
        uint32_t name, line, known;
    };
    struct site site;

    if (id == 0 || id >= s->root.site_high)
        return true;
    if (!area_reserve(&s->name_of_site, SITES_MAX * sizeof(struct named)))
        return false;
    struct named *named = (struct named *)s->name_of_site.start + id;
    if (!named->known &&
        memory_read(&s->memory, s->root.sites + id * sizeof(struct site), &site, sizeof(site))) {
        if (!name_store(s, &site, &named->name))
            return false;
        named->line = site.line;
        named->known = 1;
    }
    row->name = named->name;
    row->line = named->line;
    return true;
}

/* --- order ------------------------------------------------------------------------------------ */

typedef int (*compare_function)(const void *context, const void *a, const void *b);

/* A heap sort: the C library's may allocate. */
static void sift(char *base, size_t size, size_t i, size_t count, compare_function compare,
                 const void *context) {
    char swap[sizeof(struct rxpool_stats_row)];

    for (size_t child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count &&
            compare(context, base + child * size, base + (child + 1) * size) < 0)
            child++;
        if (compare(context, base + i * size, base + child * size) >= 0)
            return;
        memcpy(swap, base + i * size, size);
        memcpy(base + i * size, base + child * size, size);
        memcpy(base + child * size, swap, size);
    }
}

static void sort(void *array, size_t size, size_t count, compare_function compare,
                 const void *context) {
    char *base = array, swap[sizeof(struct rxpool_stats_row)];

    for (size_t i = count / 2; i-- > 0;)
        sift(base, size, i, count, compare, context);
    for (size_t end = count; end-- > 1;) {
        memcpy(swap, base, size);
        memcpy(base, base + end * size, size);
        memcpy(base + end * size, swap, size);
        sift(base, size, 0, end, compare, context);
    }
}

static int compare_numbers(uint64_t a, uint64_t b) {
    return (a > b) - (a < b);
}

static int compare_tallies(const struct tally *a, const struct tally *b) {
    int order = compare_numbers(__builtin_bswap32(a->tag), __builtin_bswap32(b->tag));
    if (order == 0)
        order = compare_numbers(a->type & ACCOUNT_PAGED, b->type & ACCOUNT_PAGED);
    return order != 0 ? order : compare_numbers(a->site, b->site);
}

static int compare_accounts(const void *context, const void *a, const void *b) {
    const struct tally *tallies = context;
    return compare_tallies(&tallies[*(const uint16_t *)a], &tallies[*(const uint16_t *)b]);
}

/* Most bytes first; then as they were, by the rows' keys, so that a table always looks the same. */
static int compare_rows(const void *context, const void *a, const void *b) {
    const struct rxpool_stats_row *x = a, *y = b;
    const struct rxpool_stats *s = context;
    int order = compare_numbers(y->bytes, x->bytes);

    if (order == 0)
        order = compare_numbers(y->allocs, x->allocs);
    if (order == 0)
        order = compare_numbers(__builtin_bswap32(x->tag), __builtin_bswap32(y->tag));
    if (order == 0)
        order = compare_numbers(x->flags & RXPOOL_STATS_PAGED, y->flags & RXPOOL_STATS_PAGED);
    if (order == 0)
        order = strcmp(rxpool_stats_name(s, x->name), rxpool_stats_name(s, y->name));
    return order != 0 ? order : compare_numbers(x->line, y->line);
}

/* --- rows ------------------------------------------------------------------------------------- */

static uint64_t less(uint64_t a, uint64_t b) {
    return a > b ? a - b : 0;
}

/*
 * Blocks that the caller freed and check still holds are live to the engine, and freed to everybody
 * else.
 */
static void row_add(struct rxpool_stats_row *row, const struct tally *t, uint32_t id) {
    uint64_t held = t->held_blocks > 0 ? (uint64_t)t->held_blocks : 0;
    uint64_t held_bytes = t->held_bytes > 0 ? (uint64_t)t->held_bytes : 0;
    uint64_t overhead = t->overhead_bytes > 0 ? (uint64_t)t->overhead_bytes : 0;
    uint64_t bytes = less(less(t->bytes_in, t->bytes_out), held_bytes);

    row->allocs += t->allocs;
    row->frees += t->frees + held < t->allocs ? t->frees + held : t->allocs;
    row->bytes += bytes;
    row->caller_bytes += less(bytes, overhead);
    row->quota_charged += t->quota_charged;
    if (t->torn)
        row->flags |= RXPOOL_STATS_TORN;
    if (id == ACCOUNT_OVERFLOW || id == ACCOUNT_OVERFLOW_DENSE)
        row->flags |= RXPOOL_STATS_OVERFLOW;
}

static void row_finish(struct rxpool_stats_row *row) {
    row->diff = row->allocs - row->frees;
    row->per_alloc = row->diff == 0 ? 0 : row->bytes / row->diff;
}

static bool rows_fill(struct rxpool_stats *s, const uint16_t *ids, uint32_t count) {
    struct rxpool_stats_row *row = NULL, *rows = s->rows.start;
    uint32_t made = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct tally *t = stats_tally(s, ids[i]);
        if (i == 0 || compare_tallies(stats_tally(s, ids[i - 1]), t) != 0) {
            row = &rows[made++];
            *row = (struct rxpool_stats_row){.tag = t->tag};
            if (t->type & ACCOUNT_PAGED)
                row->flags |= RXPOOL_STATS_PAGED;
            if (!name_of(s, t->site, row))
                return false;
        }
        row_add(row, t, ids[i]);
    }
    for (uint32_t i = 0; i < made; i++)
        row_finish(&rows[i]);
    s->summary.rows = made;
    return true;
}

/*
 * Accounts that never gave out a block (a refused first call, or one made this moment) have no row.
 */
enum rxpool_stats_status make_rows(struct rxpool_stats *s, struct rxpool_stats_error *error) {
    struct area ids = {0};
    uint32_t count = 0;

    if (!area_reserve(&ids, s->root.account_high * sizeof(uint16_t)))
        return stats_short_of_memory(error);
    uint16_t *id = ids.start;
    for (uint32_t i = 1; i < s->root.account_high; i++)
        if (stats_tally(s, i)->allocs != 0 || stats_tally(s, i)->torn)
            id[count++] = (uint16_t)i;
    sort(id, sizeof(*id), count, compare_accounts, s->tallies.start);
    bool filled =
        area_reserve(&s->rows, count * sizeof(struct rxpool_stats_row)) && rows_fill(s, id, count);
    area_release(&ids);
    if (!filled)
        return stats_short_of_memory(error);
    sort(s->rows.start, sizeof(struct rxpool_stats_row), s->summary.rows, compare_rows, s);
    return RXPOOL_STATS_OK;
}
