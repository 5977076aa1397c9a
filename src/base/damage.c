/* Overwritten bytes in a report: see damage.h. */
#include "base/damage.h"

#include "base/host.h"

#define SHOWN_BYTES 16u
#define DUMP_BEFORE 16u
#define DUMP_BYTES 64u

static void put_byte(struct text *t, unsigned char byte) {
    static const char digits[] = "0123456789abcdef";
    text_char(t, ' ');
    text_char(t, digits[byte >> 4]);
    text_char(t, digits[byte & 15]);
}

static void put_line(struct stop_report *r, const struct damage_shown *d) {
    const unsigned char *bytes = (const unsigned char *)(uintptr_t)d->at;
    uint64_t shown = d->bytes < SHOWN_BYTES ? d->bytes : SHOWN_BYTES;
    struct text *t = stop_line(r, "damage");
    text_string(t, d->at < d->block ? "offset -" : "offset ");
    text_decimal(t, d->at < d->block ? d->block - d->at : d->at - d->block);
    text_string(t, ", ");
    text_decimal(t, d->bytes);
    text_string(t, d->bytes == 1 ? " byte:" : " bytes:");
    for (uint64_t i = 0; i < shown; i++)
        put_byte(t, bytes[i]);
    text_string(t, " (expected");
    for (uint64_t i = 0; i < shown; i++)
        put_byte(t, d->expected[i < d->expected_bytes ? i : d->expected_bytes - 1]);
    text_char(t, ')');
    stop_end_line(r);
}

void damage_put(struct stop_report *r, const struct damage_shown *d) {
    uint64_t from = d->at & ~(uint64_t)15, end = d->end;
    unsigned char copy[DUMP_BYTES];
    put_line(r, d);
    from = from >= d->start + DUMP_BEFORE ? from - DUMP_BEFORE : d->start;
    if (end - from > DUMP_BYTES)
        end = from + DUMP_BYTES;
    if (plat_read_memory((const void *)(uintptr_t)from, copy, (size_t)(end - from)))
        text_dump(&r->text, from, copy, (size_t)(end - from));
}
