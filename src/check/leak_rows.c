/* The rows of a leak list: see leak_rows.h. */
#include "check/leak_rows.h"

#include <stdatomic.h>

#include "base/options.h"
#include "check/report.h"
#include "check/sites.h"
#include "check/stacks.h"
#include "plat/plat.h"

#define ROWS_MAX 512u   /* blocks of further tags and sites are counted together */
#define FIRST_BYTES 32u /* of the oldest block */
#define LINE_CAPACITY 640
#define STACK_CAPACITY 8192
#define TAG_PROTECTED 0x80000000u

struct row {
    uint32_t tag, site;
    uint8_t paged, fate;
    uint8_t first_bytes; /* valid in `first` */
    struct leak_total total;
    uint64_t apart; /* blocks of them that were counted as such */
    struct record_info oldest;
    unsigned char first[FIRST_BYTES];
};

static struct {
    _Atomic bool taken; /* no plat_lock: a list reads paged blocks, at PASSIVE_LEVEL */
    struct row row[ROWS_MAX];
    unsigned count;
    struct leak_total total[LEAK_SUMMED + 1], further[LEAK_SUMMED + 1];
    char text[STACK_CAPACITY]; /* what is being printed: too long for a kernel's stack */
} leaks;

void leak_rows_begin(void) {
    while (atomic_exchange_explicit(&leaks.taken, true, memory_order_acquire))
        plat_yield();
}

/* The addresses in the rows go too: a search for references must not meet them. */
void leak_rows_end(void) {
    for (unsigned i = 0; i < leaks.count; i++)
        leaks.row[i] = (struct row){0};
    for (unsigned i = 0; i < RXP_COUNT(leaks.total); i++)
        leaks.total[i] = leaks.further[i] = (struct leak_total){0, 0};
    leaks.count = 0;
    atomic_store_explicit(&leaks.taken, false, memory_order_release);
}

struct leak_total leak_rows_total(enum leak_fate fate) {
    return leaks.total[fate];
}

/* --- counting -------------------------------------------------------------------------------- */

static bool is_row(const struct row *r, const struct record_info *info, enum leak_fate fate) {
    return r->tag == info->tag && r->fate == fate && r->paged == (info->type & 1) &&
           (r->site == info->alloc_site || fate == LEAK_SUMMED);
}

/* NULL when there are as many rows as there may be. */
static struct row *row_for(const struct record_info *info, enum leak_fate fate) {
    for (unsigned i = 0; i < leaks.count; i++) {
        if (is_row(&leaks.row[i], info, fate))
            return &leaks.row[i];
    }
    if (leaks.count == ROWS_MAX)
        return NULL;
    struct row *r = &leaks.row[leaks.count++];
    r->tag = info->tag;
    r->site = fate == LEAK_SUMMED ? 0 : info->alloc_site;
    r->paged = info->type & 1;
    r->fate = (uint8_t)fate;
    return r;
}

/* By the clock, and within its step by the number: both are of few bits and wrap, so by differences. */
static bool older(const struct record_info *a, const struct record_info *b) {
    int32_t later = (int32_t)(b->time - a->time);
    return later != 0 ? later > 0 : (int32_t)(b->sequence - a->sequence) > 0;
}

/* Read at once, as the block may be freed by the time of printing; and with care, as it may be now. */
static void set_oldest(struct row *r, const struct record_info *info) {
    uint8_t bytes = info->size < FIRST_BYTES ? (uint8_t)info->size : FIRST_BYTES;
    r->oldest = *info;
    r->first_bytes = 0;
    if (plat_read_memory((const void *)(uintptr_t)info->block, r->first, bytes))
        r->first_bytes = bytes;
}

static void count(struct leak_total *total, const struct record_info *info) {
    total->blocks++;
    total->bytes += info->size;
}

void leak_rows_add(const struct record_info *info, enum leak_fate fate, bool apart) {
    struct row *r = row_for(info, fate);
    count(&leaks.total[fate], info);
    if (r == NULL) {
        count(&leaks.further[fate], info);
        return;
    }
    if (fate != LEAK_SUMMED && (r->total.blocks == 0 || older(info, &r->oldest)))
        set_oldest(r, info);
    count(&r->total, info);
    r->apart += apart;
}

/* --- printing -------------------------------------------------------------------------------- */

void leak_put_amount(struct text *t, uint64_t blocks, uint64_t bytes) {
    text_decimal(t, blocks);
    text_string(t, blocks == 1 ? " block, " : " blocks, ");
    text_decimal(t, bytes);
    text_string(t, bytes == 1 ? " byte" : " bytes");
}

void leak_say(struct text *t) {
    text_char(t, '\n');
    plat_report(options_get()->report, t->buffer, t->length);
}

/* Whether `a` is printed before `b`. */
static bool goes_first(const struct row *a, const struct row *b) {
    return a->fate != b->fate ? a->fate < b->fate : a->total.bytes > b->total.bytes;
}

/* The next row to print, of those not yet printed; NULL after the last. */
static struct row *next_row(void) {
    struct row *next = NULL;
    for (unsigned i = 0; i < leaks.count; i++) {
        struct row *r = &leaks.row[i];
        if (r->total.blocks != 0 && (next == NULL || goes_first(r, next)))
            next = r;
    }
    return next;
}

static const char *const keys[] = {[LEAK_UNTOLD] = "leak: ",
                                   [LEAK_LOST] = "lost: ",
                                   [LEAK_HELD] = "held: ",
                                   [LEAK_SUMMED] = "held: "};

/* lost: 3 blocks, 192 bytes tag RxSc type Paged allocated at FILE:LINE (1 of them ...) */
static void print_amount(const struct row *r) {
    struct text t;
    text_init(&t, leaks.text, LINE_CAPACITY - 1);
    text_string(&t, keys[r->fate]);
    leak_put_amount(&t, r->total.blocks, r->total.bytes);
    text_string(&t, " tag ");
    text_tag(&t, r->tag & ~TAG_PROTECTED);
    text_string(&t, " type ");
    text_string(&t, report_type(r->paged));
    if (r->site != 0) {
        text_string(&t, " allocated at ");
        sites_put(&t, r->site);
    }
    if (r->apart != 0 && r->fate != LEAK_SUMMED) {
        text_string(&t, " (");
        text_decimal(&t, r->apart);
        text_string(&t, r->fate == LEAK_LOST ? " through lost blocks)" : " by inner addresses)");
    }
    t.capacity++; /* room for the line's end was kept */
    leak_say(&t);
}

/* The frames behind the row's site. */
static void print_stack(const struct row *r) {
    struct text t;
    text_init(&t, leaks.text, sizeof leaks.text);
    stacks_put(&t, r->site);
    if (t.cut)
        t.buffer[t.length - 1] = '\n';
    if (t.length != 0)
        plat_report(options_get()->report, t.buffer, t.length);
}

/* oldest: 0x... size 64, allocation 7 by thread 123, 40 ms ago; and its first bytes */
static void print_oldest(const struct row *r) {
    struct text t;
    text_init(&t, leaks.text, LINE_CAPACITY);
    text_string(&t, "oldest: ");
    text_address(&t, r->oldest.block);
    text_string(&t, " size ");
    text_decimal(&t, r->oldest.size);
    text_string(&t, ", allocation ");
    text_decimal(&t, r->oldest.sequence);
    text_string(&t, " by thread ");
    text_decimal(&t, r->oldest.thread);
    text_string(&t, ", ");
    text_decimal(&t, (uint32_t)((uint32_t)plat_clock_ms() - r->oldest.time));
    text_string(&t, " ms ago");
    leak_say(&t);
    text_init(&t, leaks.text, LINE_CAPACITY);
    text_dump(&t, r->oldest.block, r->first, r->first_bytes);
    plat_report(options_get()->report, t.buffer, t.length);
}

/* lost: 30 blocks, 960 bytes of further tags and sites */
static void print_further(void) {
    struct text t;
    for (unsigned fate = 0; fate < RXP_COUNT(leaks.further); fate++) {
        if (leaks.further[fate].blocks == 0)
            continue;
        text_init(&t, leaks.text, LINE_CAPACITY);
        text_string(&t, keys[fate]);
        leak_put_amount(&t, leaks.further[fate].blocks, leaks.further[fate].bytes);
        text_string(&t, " of further tags and sites");
        leak_say(&t);
    }
}

void leak_rows_print(void) {
    for (struct row *r = next_row(); r != NULL; r = next_row()) {
        print_amount(r);
        print_stack(r);
        if (r->fate != LEAK_SUMMED)
            print_oldest(r);
        r->total.blocks = 0; /* printed */
    }
    print_further();
}
