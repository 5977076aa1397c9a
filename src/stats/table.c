#include <string.h>

#include "stats/table.h"

/* Right-aligned in `width`; what is wider pushes the line to the right. */
static void number_column(struct text *t, uint64_t value, unsigned width) {
    char digits[24];
    struct text number;

    text_init(&number, digits, sizeof(digits));
    text_decimal(&number, value);
    text_char(t, ' ');
    for (size_t i = number.length; i < width; i++)
        text_char(t, ' ');
    text_string(t, digits);
}

static void left_column(struct text *t, const char *s, unsigned width) {
    size_t start = t->length;

    text_string(t, s);
    while (t->length - start < width && !t->cut)
        text_char(t, ' ');
}

void table_header(struct text *t, const struct rxpool_stats_summary *summary) {
    text_string(t, " Tag  Type       Allocs        Frees        Diff          Bytes  Per Alloc");
    if (summary->checked)
        text_string(t, "         Caller");
    text_string(t, "  Mapped_Driver\n");
}

static void figures(struct text *t, const struct rxpool_stats_row *row, bool checked) {
    number_column(t, row->allocs, 12);
    number_column(t, row->frees, 12);
    number_column(t, row->diff, 11);
    number_column(t, row->bytes, 14);
    number_column(t, row->per_alloc, 10);
    if (checked)
        number_column(t, row->caller_bytes, 14);
}

/* Leaves room for a line number and the newline. */
static void name_column(struct text *t, const char *name, uint32_t line) {
    size_t length = strnlen(name, TABLE_LINE - 192);

    text_string(t, "  ");
    text_bytes(t, name, length);
    if (line != 0) {
        text_char(t, ':');
        text_decimal(t, line);
    }
}

void table_row(struct text *t, const struct rxpool_stats *stats, const struct rxpool_stats_row *row,
               const char *shown) {
    char tag[20];
    struct text tag_text;

    text_init(&tag_text, tag, sizeof(tag));
    text_tag(&tag_text, row->tag);
    text_char(t, row->flags & RXPOOL_STATS_TORN ? '~' : ' ');
    left_column(t, tag, 4);
    text_string(t, row->flags & RXPOOL_STATS_PAGED ? " Paged" : " Nonp ");
    figures(t, row, rxpool_stats_summary(stats)->checked);
    if (row->flags & RXPOOL_STATS_OVERFLOW && row->name == 0)
        name_column(t, "(more tags than can be kept apart)", 0);
    else if (shown != NULL)
        name_column(t, shown, 0);
    else if (row->name != 0)
        name_column(t, rxpool_stats_name(stats, row->name), row->line);
    text_char(t, '\n');
}

void table_total(struct text *t, const struct rxpool_stats *stats) {
    const struct rxpool_stats_summary *summary = rxpool_stats_summary(stats);
    struct rxpool_stats_row total = {0};

    for (uint32_t i = 0; i < summary->rows; i++) {
        const struct rxpool_stats_row *row = rxpool_stats_row(stats, i);
        total.allocs += row->allocs;
        total.frees += row->frees;
        total.diff += row->diff;
        total.bytes += row->bytes;
        total.caller_bytes += row->caller_bytes;
    }
    total.per_alloc = total.diff == 0 ? 0 : total.bytes / total.diff;
    text_string(t, " Total     ");
    figures(t, &total, summary->checked);
    text_char(t, '\n');
}
