/* The words of the checked build's reports: see report.h. */
#include "check/report.h"

#include "base/damage.h"
#include "base/frames.h"
#include "base/lines.h"
#include "check/heap.h"
#include "check/sites.h"
#include "check/stacks.h"
#include "plat/plat.h"

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
#define HEAP_FREE_LIST 0xD

const char *report_type(uint32_t type) {
    return type & 1 ? "Paged" : "Nonp";
}

static void put_site(struct text *t, const char *key, uint32_t site) {
    if (site == 0)
        return;
    text_string(t, key);
    text_string(t, ": ");
    sites_put(t, site);
    text_char(t, '\n');
    stacks_put(t, site);
}

static struct lines_block block_of(const struct record_info *info) {
    return (struct lines_block){info->block, info->size, info->tag & ~0x80000000u,
                                (info->type & 1) != 0};
}

static void put_block(struct text *t, const char *key, const struct record_info *info) {
    struct lines_block b = block_of(info);
    lines_put_block(t, key, &b);
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

void report_tell(struct text *out, const struct record_info *info, bool freed) {
    put_site(out, "allocated at", info->alloc_site);
    if (freed)
        put_site(out, "freed at", info->free_site);
    put_history(out, info, freed);
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
    if (c->file != NULL) {
        stop_site(r, "detected at", c->file, c->line);
        frames_put_stack(&r->text, c->pc, true);
    } else if (c->pc != NULL) {
        stop_caller(r, "detected at", c->pc);
    }
    text_string(stop_line(r, "detected by"), c->routine);
    stop_end_line(r);
    stop_commit(r);
}

/* Between that moment and now the damage came about. */
static void put_last_seen(struct stop_report *r, const struct record_info *info) {
    static const char *const sights[] = {
        [SEEN_AT_ALLOCATION] = "at allocation",
        [SEEN_AT_RESIZE] = "at realloc",
        [SEEN_AT_FREE] = "at free",
        [SEEN_BY_CHECK] = "by RxCheckMemoryBlock",
        [SEEN_BY_CHECK_ALL] = "by RxCheckAllMemoryBlocks",
        [SEEN_BY_SWEEP] = "by the sweep",
        [SEEN_DAMAGED] = "by the sweep",
    };
    uint32_t time;
    enum registry_sight sight = registry_seen(info, &time);
    struct text *t = stop_line(r, sight == SEEN_DAMAGED ? "seen damaged" : "last seen good");
    text_string(t, sight == SEEN_AT_FREE ? "at most " : "");
    text_decimal(t, (uint32_t)((uint32_t)plat_clock_ms() - time));
    text_string(t, " ms ago, ");
    text_string(t, sights[sight]);
    stop_end_line(r);
}

static void put_damage(struct stop_report *r, const struct record_info *info,
                       const struct damage *d) {
    const struct damage_shown shown = {
        .block = info->block,
        .start = info->block - info->back,
        .end = info->block + info->size + info->tail,
        .at = d->at,
        .bytes = d->bytes,
        .expected = d->expected,
        .expected_bytes = d->expected_bytes,
    };
    damage_put(r, &shown);
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
    put_last_seen(r, info);
    put_damage(r, info, d);
    commit(r, c);
}

void warn_damage(const struct caller *c, const struct record_info *info, const struct damage *d) {
    struct stop_report *r = stop_claim();
    stop_warn(r, kinds[d->kind].what);
    put_known(r, info, false);
    put_last_seen(r, info);
    put_damage(r, info, d);
    commit(r, c);
}

void report_not_live(const struct caller *c, const struct record_info *info, const char *what) {
    struct stop_report *r =
        begin(STOP_BAD_POOL_CALLER, CALLER_ALREADY_FREE, 0, info->tag, info->block, what);
    put_known(r, info, true);
    commit(r, c);
}

void report_repeated_free(const struct caller *c, const struct record_info *info) {
    report_not_live(c, info, "a block was freed a second time");
}

void report_wrong_family(const struct caller *c, const struct record_info *info) {
    static const char *const allocator[] = {
        "a routine of the pool",
        [HEAP_MALLOC] = "malloc or its like",
        [HEAP_NEW] = "operator new",
        [HEAP_NEW_ARRAY] = "operator new[]",
    };
    struct stop_report *r = begin(STOP_BAD_POOL_CALLER, CALLER_BAD_ADDRESS, info->block, 0, 0,
                                  "a block was freed by a routine of another family");
    put_known(r, info, false);
    text_string(stop_line(r, "allocated by"), allocator[info->family]);
    stop_end_line(r);
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

static void put_request(struct stop_report *r, const char *bound, const struct report_request *q) {
    struct text *t = stop_line(r, "request");
    text_string(t, "size ");
    text_string(t, bound);
    text_decimal(t, q->size);
    if (q->tag != 0) {
        text_string(t, " tag ");
        text_tag(t, q->tag & ~0x80000000u);
    }
    text_string(t, " type ");
    text_string(t, report_type(q->type));
    stop_end_line(r);
}

void report_request(const struct caller *c, uint32_t code, const uint64_t parameter[4],
                    const char *what, const struct report_request *q) {
    struct stop_report *r =
        begin(code, parameter[0], parameter[1], parameter[2], parameter[3], what);
    put_request(r, "", q);
    commit(r, c);
}

void report_allocate_irql(const struct caller *c, const struct report_request *q, unsigned irql) {
    struct stop_report *r =
        begin(STOP_BAD_POOL_CALLER, CALLER_ALLOCATE_IRQL, irql, q->type, q->size,
              "pool was requested at an IRQL that is too high for its type");
    put_request(r, "", q);
    put_irql(r, irql);
    commit(r, c);
}

void report_zero_size(const struct caller *c, const struct report_request *q) {
    report_request(c, STOP_BAD_POOL_CALLER,
                   (const uint64_t[]){CALLER_ZERO_BYTES, 0, q->type, q->tag},
                   "a block of no bytes was requested", q);
}

void report_odd_tag(const struct caller *c, const struct report_request *q) {
    struct stop_report *r = stop_claim();
    stop_warn(r, "a tag has characters outside 0x20 to 0x7E");
    put_request(r, "", q);
    commit(r, c);
}

void report_size_refused(const struct caller *c, uint32_t type, uint32_t tag) {
    struct stop_report *r = stop_claim();
    stop_warn(r, "a request was refused: its size does not fit a ULONG");
    put_request(r, "at least ", &(const struct report_request){type, tag, UINT32_MAX});
    commit(r, c);
}

void report_wrong_routine(const struct caller *c, const struct record_info *info,
                          const char *what) {
    struct stop_report *r =
        begin(STOP_BAD_POOL_CALLER, CALLER_BAD_ADDRESS, info->block, 0, 0, what);
    put_known(r, info, false);
    commit(r, c);
}

void report_pattern(struct text *out, uint64_t address) {
    static const struct {
        unsigned char byte;
        const char *meaning;
    } patterns[] = {
        {BLOCK_FRESH, "this is no address but the fill of memory that was never written\n"},
        {BLOCK_FREED, "this is no address but the fill of memory that was freed\n"},
        {BLOCK_GUARD, "this is no address but the guard around a block\n"},
    };
    for (size_t i = 0; i < RXP_COUNT(patterns); i++) {
        uint64_t whole = patterns[i].byte * (uint64_t)0x0101010101010101u;
        if ((address ^ whole) >> 16 == 0) { /* a member of what the pointer should lead to */
            text_string(out, "pattern: ");
            text_string(out, patterns[i].meaning);
        }
    }
}

static void put_address(struct stop_report *r, uint64_t address) {
    text_address(stop_line(r, "address"), address);
    stop_end_line(r);
    report_pattern(&r->text, address);
}

/* The block that the address lies in, or is not far from. */
static void put_around(struct stop_report *r, uint64_t address, const struct record_info *around) {
    struct text *t = stop_line(r, "offset");
    text_string(t, address < around->block ? "-" : "");
    text_decimal(t, address < around->block ? around->block - address : address - around->block);
    text_string(t, " from the start of the block");
    stop_end_line(r);
    put_known(r, around, around->state != RECORD_LIVE && around->state != RECORD_BUSY);
}

void report_free_list(const struct caller *c, uint64_t memory, const struct record_info *info,
                      const char *what) {
    struct stop_report *r =
        begin(STOP_KERNEL_MODE_HEAP_CORRUPTION, HEAP_FREE_LIST, 0, memory, 0, what);
    if (info != NULL)
        put_known(r, info, info->state != RECORD_LIVE && info->state != RECORD_BUSY);
    else
        put_address(r, memory);
    commit(r, c);
}

void report_nowhere(const struct caller *c, uint64_t address, const char *what,
                    void (*describe)(struct text *out, const void *address)) {
    struct stop_report *r = begin(STOP_BAD_POOL_CALLER, CALLER_BAD_ADDRESS, address, 0, 0, what);
    put_address(r, address);
    if (describe != NULL) {
        describe(stop_line(r, "lies in"), (const void *)(uintptr_t)address);
        stop_end_line(r);
    }
    commit(r, c);
}

void report_bad_address(const struct caller *c, uint64_t address, uint32_t code, const char *what,
                        const struct record_info *around) {
    struct stop_report *r = begin(STOP_BAD_POOL_CALLER, code, address, 0, 0, what);
    put_address(r, address);
    if (around != NULL)
        put_around(r, address, around);
    commit(r, c);
}

void report_access(const struct caller *c, const struct record_info *info, uint64_t at,
                   bool write) {
    struct lines_block b = block_of(info);
    bool freed = info->state != RECORD_LIVE && info->state != RECORD_BUSY;
    uint64_t pc = (uintptr_t)c->pc - 1;
    struct stop_report *r = begin(freed ? STOP_FREED_SPECIAL_POOL : STOP_SPECIAL_POOL_OVERRUN, at,
                                  write, pc, 0, lines_access(&b, at, write, freed));
    put_known(r, info, freed);
    lines_put_access(&r->text, &b, at, write);
    commit(r, c);
}

void warn_unwritten(const struct caller *c, const struct record_info *info, uint64_t at) {
    struct lines_block b = block_of(info);
    struct stop_report *r = stop_claim();
    stop_warn(r, "bytes of a block that were never written were given to the system");
    put_known(r, info, false);
    lines_put_access(&r->text, &b, at, false);
    commit(r, c);
}

void warn_unchecked(const struct caller *c, uint64_t address, const char *what,
                    const struct record_info *info) {
    struct stop_report *r = stop_claim();
    stop_warn(r, what);
    if (info->state == RECORD_NONE || info->block != address)
        put_address(r, address);
    if (info->state != RECORD_NONE && info->block != address)
        put_around(r, address, info);
    else if (info->state != RECORD_NONE)
        put_known(r, info, info->state != RECORD_LIVE && info->state != RECORD_BUSY);
    commit(r, c);
}

void warn_check_irql(const struct caller *c, const struct record_info *info, unsigned irql) {
    struct stop_report *r = stop_claim();
    stop_warn(r, "a paged block cannot be checked at this IRQL: its memory must not be touched");
    put_known(r, info, false);
    put_irql(r, irql);
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
