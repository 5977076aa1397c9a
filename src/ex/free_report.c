/* Stop reports of a free: see free_report.h. */
#include "ex/free_report.h"

#include "base/lines.h"
#include "ex/special.h"

static void report_block(struct stop_report *r, const struct engine_block *b) {
    const struct lines_block shown = {b->start, b->size, b->tag, (b->type & ACCOUNT_PAGED) != 0};

    if (b->size != 0)
        lines_put_block(&r->text, "block", &shown);
}

struct stop_report *free_report(const void *address, const void *caller,
                                const uint64_t parameter[4], const char *what) {
    struct stop_report *r = stop_claim();
    struct engine_block b = {0};

    engine_lookup(address, &b);
    stop_begin(r, STOP_BAD_POOL_CALLER, parameter[0], parameter[1], parameter[2], parameter[3],
               what);
    report_block(r, &b);
    special_put_sites(&r->text, address);
    engine_describe(&r->text, address);
    stop_caller(r, "called from", caller);
    return r;
}

static const char *verdict_text(enum engine_verdict verdict, bool null) {
    switch (verdict) {
    case ENGINE_FOREIGN:
        return null ? "free of a null pointer" : "free of an address that is in no pool";
    case ENGINE_UNUSED:
        return "free of an address of the pool where nothing is allocated";
    case ENGINE_INTERIOR:
        return "free of an address that is not the start of a block";
    case ENGINE_NOT_LIVE:
        return "free of a block that is free already, or was never handed out";
    default:
        return "free with another tag than the block was allocated with";
    }
}

struct stop_report *free_report_verdict(const void *address, uint32_t tag, const void *caller,
                                        enum engine_verdict verdict) {
    uint64_t a = (uintptr_t)address;
    struct engine_block b = {0};
    uint64_t parameter[4] = {0x46, a, 0, 0}; /* an address that is in no pool */

    if (verdict == ENGINE_DAMAGED)
        return special_report_damage(address, caller);
    engine_lookup(address, &b);
    if (verdict == ENGINE_UNUSED) {
        parameter[0] = 0x41;
        parameter[2] = a >> POOL_PAGE_SHIFT;
    } else if (verdict == ENGINE_INTERIOR) {
        parameter[0] = 0x99;
    } else if (verdict == ENGINE_NOT_LIVE) {
        parameter[0] = 0x07;
        parameter[1] = 0;
        parameter[2] = tag;
        parameter[3] = a;
    } else if (verdict == ENGINE_WRONG_TAG) {
        parameter[0] = 0x0A;
        parameter[2] = b.tag;
        parameter[3] = tag;
    }
    return free_report(address, caller, parameter, verdict_text(verdict, address == NULL));
}
