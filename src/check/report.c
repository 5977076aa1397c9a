/* The words of the checked build's reports: see report.h. */
#include "check/report.h"

#include "check/sites.h"
#include "plat/plat.h"

#define DUMP_BEFORE 16u
#define DUMP_BYTES 64u

/* Parameter 1 of the stops; nt-level numbers of the bug check reference. */
#define CALLER_ZERO_BYTES 0x00
#define CALLER_ALREADY_FREE 0x07
#define CALLER_ALLOCATE_IRQL 0x08
#define CALLER_FREE_IRQL 0x09
#define CALLER_WRONG_TAG 0x0A
#define CALLER_BAD_ADDRESS 0x46
#define HEAP_HEADER 0x3
#define HEAP_OVERRUN 0x6
#define HEAP_UNDERRUN 0x7
#define HEAP_AFTER_FREE 0xB

const char *report_type(uint32_t type) {
    return type & 1 ? "Paged" : "Nonp";
}

static void put_site(struct text *t, const char *key, uint32_t site) {
    uint32_t line;
    const char *file = sites_file(site, &line);
    if (file == NULL)
        return;
    text_string(t, key);
    text_string(t, ": ");
    text_string(t, file);
    text_char(t, ':');
    text_decimal(t, line);
    text_char(t, '\n');
}

static void put_block(struct text *t, const char *key, const struct record_info *info) {
    text_string(t, key);
    text_string(t, ": ");
    text_address(t, info->block);
    text_string(t, " size ");
    text_decimal(t, info->size);
    text_string(t, " tag ");
    text_tag(t, info->tag & ~0x80000000u);
    text_string(t, " type ");
    text_string(t, report_type(info->type));
    text_char(t, '\n');
}

void report_describe(struct text *out, const struct record_info *info) {
    put_block(out, "rx block", info);
    put_site(out, "allocated at", info->alloc_site);
    if (info->state != RECORD_LIVE && info->state != RECORD_BUSY)
        put_site(out, "freed at", info->free_site);
}

/* Who and when, beyond the sites. */
static void put_history(struct text *t, const struct record_info *info, bool freed) {
    text_string(t, "history: allocation ");
    text_decimal(t, info->sequence);
    text_string(t, " by thread ");
    text_decimal(t, info->thread);
    text_string(t, ", ");
    text_decimal(t, (uint32_t)((uint32_t)plat_clock_ms() - info->time));
    text_string(t, " ms ago");
    if (freed) {
        text_string(t, ", freed by thread ");
        text_decimal(t, info->free_thread);
    }
    text_char(t, '\n');
}

static struct stop_report *begin(uint32_t code, uint64_t p1, uint64_t p2, uint64_t p3, uint64_t p4,
                                 const char *what) {
    struct stop_report *r = stop_claim();
    stop_begin(r, code, p1, p2, p3, p4, what);
    return r;
}

static void put_known(struct stop_report *r, const struct record_info *info, bool freed) {
    put_block(&r->text, "block", info);
    put_site(&r->text, "allocated at", info->alloc_site);
    if (freed)
        put_site(&r->text, "freed at", info->free_site);
    put_history(&r->text, info, freed);
}

/* Says where the caller stands, and gives the report out. */
static void commit(struct stop_report *r, const struct caller *c) {
    if (c->file != NULL)
        stop_site(r, "detected at", c->file, c->line);
    text_string(stop_line(r, "detected by"), c->routine);
    stop_end_line(r);
    stop_commit(r);
}

/* `offset -4, 2 bytes: 41 41 (expected bd bd)`, and the surroundings. */
static void put_damage(struct stop_report *r, const struct record_info *info,
                       const struct damage *d) {
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = (const unsigned char *)(uintptr_t)d->at;
    uint32_t shown = d->bytes < 16 ? d->bytes : 16;
    struct text *t = stop_line(r, "damage");
    text_string(t, d->at < info->block ? "offset -" : "offset ");
    text_decimal(t, d->at < info->block ? info->block - d->at : d->at - info->block);
    text_string(t, ", ");
    text_decimal(t, d->bytes);
    text_string(t, d->bytes == 1 ? " byte:" : " bytes:");
    for (uint32_t i = 0; i < shown; i++) {
        text_char(t, ' ');
        text_char(t, digits[bytes[i] >> 4]);
        text_char(t, digits[bytes[i] & 15]);
    }
    text_string(t, " (expected");
    for (uint32_t i = 0; i < shown; i++) {
        unsigned char want = d->expected[i < d->expected_bytes ? i : d->expected_bytes - 1];
        text_char(t, ' ');
        text_char(t, digits[want >> 4]);
        text_char(t, digits[want & 15]);
    }
    text_char(t, ')');
    stop_end_line(r);

    uint64_t start = info->block - info->back, end = info->block + info->size + info->tail;
    uint64_t from = d->at & ~(uint64_t)15;
    from = from >= start + DUMP_BEFORE ? from - DUMP_BEFORE : start;
    if (end - from > DUMP_BYTES)
        end = from + DUMP_BYTES;
    text_dump(&r->text, from, (const unsigned char *)(uintptr_t)from, (size_t)(end - from));
}

static const struct {
    uint32_t parameter;
    const char *what;
} kinds[] = {
    [DAMAGE_HEADER] = {HEAP_HEADER, "the header in front of a block was overwritten"},
    [DAMAGE_UNDERRUN] = {HEAP_UNDERRUN, "bytes in front of a block were overwritten"},
    [DAMAGE_OVERRUN] = {HEAP_OVERRUN, "bytes behind the end of a block were overwritten"},
    [DAMAGE_AFTER_FREE] = {HEAP_AFTER_FREE, "a block was written to after it was freed"},
};

void report_damage(const struct caller *c, const struct record_info *info, const struct damage *d) {
    bool freed = d->kind == DAMAGE_AFTER_FREE;
    struct stop_report *r = begin(STOP_KERNEL_MODE_HEAP_CORRUPTION, kinds[d->kind].parameter, 0,
                                  info->block, d->at, kinds[d->kind].what);
    put_known(r, info, freed);
    put_damage(r, info, d);
    commit(r, c);
}

void warn_damage(const struct caller *c, const struct record_info *info, const struct damage *d) {
    struct stop_report *r = stop_claim();
    stop_warn(r, kinds[d->kind].what);
    put_known(r, info, false);
    put_damage(r, info, d);
    commit(r, c);
}

void report_repeated_free(const struct caller *c, const struct record_info *info) {
    struct stop_report *r = begin(STOP_BAD_POOL_CALLER, CALLER_ALREADY_FREE, 0, info->tag,
                                  info->block, "a block was freed a second time");
    put_known(r, info, true);
    commit(r, c);
}

void report_wrong_tag(const struct caller *c, const struct record_info *info, uint32_t tag) {
    struct stop_report *r =
        begin(STOP_BAD_POOL_CALLER, CALLER_WRONG_TAG, info->block, info->tag, tag,
              "a block was freed with another tag than it was allocated with");
    put_known(r, info, false);
    text_tag(stop_line(r, "freed with tag"), tag & ~0x80000000u);
    stop_end_line(r);
    commit(r, c);
}

static void put_irql(struct stop_report *r, unsigned irql) {
    text_decimal(stop_line(r, "irql"), irql);
    stop_end_line(r);
}

void report_free_irql(const struct caller *c, const struct record_info *info, unsigned irql) {
    struct stop_report *r =
        begin(STOP_BAD_POOL_CALLER, CALLER_FREE_IRQL, irql, info->type, info->block,
              "a block was freed at an IRQL that is too high for its pool");
    put_known(r, info, false);
    put_irql(r, irql);
    commit(r, c);
}

static void put_request(struct stop_report *r, const char *bound, uint64_t size, uint32_t type,
                        uint32_t tag) {
    struct text *t = stop_line(r, "request");
    text_string(t, "size ");
    text_string(t, bound);
    text_decimal(t, size);
    if (tag != 0) {
        text_string(t, " tag ");
        text_tag(t, tag & ~0x80000000u);
    }
    text_string(t, " type ");
    text_string(t, report_type(type));
    stop_end_line(r);
}

void report_allocate_irql(const struct caller *c, uint32_t type, uint64_t size, unsigned irql) {
    struct stop_report *r = begin(STOP_BAD_POOL_CALLER, CALLER_ALLOCATE_IRQL, irql, type, size,
                                  "pool was requested at an IRQL that is too high for its type");
    put_request(r, "", size, type, 0);
    put_irql(r, irql);
    commit(r, c);
}

void report_zero_size(const struct caller *c, uint32_t type, uint32_t tag) {
    struct stop_report *r = begin(STOP_BAD_POOL_CALLER, CALLER_ZERO_BYTES, 0, type, tag,
                                  "a block of no bytes was requested");
    put_request(r, "", 0, type, tag);
    commit(r, c);
}

void report_odd_tag(const struct caller *c, uint64_t size, uint32_t type, uint32_t tag) {
    struct stop_report *r = stop_claim();
    stop_warn(r, "a tag has characters outside 0x20 to 0x7E");
    put_request(r, "", size, type, tag);
    commit(r, c);
}

void report_size_refused(const struct caller *c, uint32_t type, uint32_t tag) {
    struct stop_report *r = stop_claim();
    stop_warn(r, "a request was refused: its size does not fit a ULONG");
    put_request(r, "at least ", UINT32_MAX, type, tag);
    commit(r, c);
}

void report_wrong_routine(const struct caller *c, const struct record_info *info,
                          const char *what) {
    struct stop_report *r =
        begin(STOP_BAD_POOL_CALLER, CALLER_BAD_ADDRESS, info->block, 0, 0, what);
    put_known(r, info, false);
    commit(r, c);
}

void report_bad_address(const struct caller *c, uint64_t address, uint32_t code, const char *what,
                        const struct record_info *around) {
    struct stop_report *r = begin(STOP_BAD_POOL_CALLER, code, address, 0, 0, what);
    text_address(stop_line(r, "address"), address);
    stop_end_line(r);
    if (around != NULL) {
        struct text *t = stop_line(r, "offset");
        text_string(t, address < around->block ? "-" : "");
        text_decimal(t,
                     address < around->block ? around->block - address : address - around->block);
        text_string(t, " from the start of the block");
        stop_end_line(r);
        put_known(r, around, around->state != RECORD_LIVE && around->state != RECORD_BUSY);
    }
    commit(r, c);
}

void report_note(const char *line) {
    char buffer[256];
    struct text t;
    text_init(&t, buffer, sizeof buffer);
    text_string(&t, "rxpool: ");
    text_string(&t, line);
    text_char(&t, '\n');
    plat_report(NULL, t.buffer, t.length);
}
