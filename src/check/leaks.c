/* What is still allocated: at unload, at exit, since a mark; and what nobody can free any more. */
#include "check/check.h"

#include "base/backend.h"
#include "base/options.h"
#include "check/leak_rows.h"
#include "check/scan.h"

#define RXPOOL_CHECKED 1
#include <ntrxdef.h>

#define LINE_CAPACITY 256
#define STATUS_LEAKS 0x62u /* parameter 1 of 0xC4: unload with allocations left */

bool check_still_there(const struct record_info *info) {
    uintptr_t start;
    uint32_t tag;
    const struct pool_backend *backend = pool_backend();
    return backend != NULL &&
           backend->lookup((void *)(uintptr_t)info->block, &start, &tag) == BACKEND_BLOCK &&
           tag == (info->tag & ~(uint32_t)PROTECTED_POOL);
}

/* --- counting -------------------------------------------------------------------------------- */

/*
 * `argument`: the mark before which blocks do not count. Programs leave blocks of malloc to their exit
 * on purpose; without a search nothing can be said of them.
 */
static void count_block(void *argument, const struct record_info *info) {
    if (info->kind != RECORD_SIGNED && info->mark >= *(const uint32_t *)argument &&
        (info->kind != RECORD_OTHERS || check_still_there(info)))
        leak_rows_add(info, info->family != 0 ? LEAK_SUMMED : LEAK_UNTOLD, false);
}

/* Which blocks a list shows. */
enum listed {
    LISTED_POOL, /* the pool's own routines', lost or held */
    LISTED_ALL,  /* of malloc the lost ones, and the sum of the others */
    LISTED_LOST, /* the lost ones only */
};

static void count_searched(void *argument, const struct record_info *info, enum scan_reach reach) {
    enum listed listed = *(const enum listed *)argument;
    if (reach == SCAN_LOST || reach == SCAN_LOST_THROUGH) {
        if (info->family == 0 || listed != LISTED_POOL)
            leak_rows_add(info, LEAK_LOST, reach == SCAN_LOST_THROUGH);
    } else if (listed != LISTED_LOST) {
        leak_rows_add(info, info->family != 0 ? LEAK_SUMMED : LEAK_HELD, reach == SCAN_HELD_INSIDE);
    }
}

/* --- words ----------------------------------------------------------------------------------- */

/* Not inlined: a search passes over frames between the program's and its own, which should be small. */
static RXP_NOINLINE void say_title(const struct caller *c, const char *what,
                                   struct leak_total total, struct leak_total lost) {
    char buffer[LINE_CAPACITY];
    struct text t;
    text_init(&t, buffer, sizeof buffer);
    text_string(&t, "*** LEAKS: ");
    leak_put_amount(&t, total.blocks, total.bytes);
    text_string(&t, what);
    text_string(&t, c->routine);
    if (lost.blocks != 0) {
        text_string(&t, ", lost: ");
        leak_put_amount(&t, lost.blocks, lost.bytes);
    }
    leak_say(&t);
}

/* What the reader should know of the search. */
static RXP_NOINLINE void say_outcome(const struct scan_outcome *outcome) {
    char buffer[LINE_CAPACITY];
    struct text t;
    text_init(&t, buffer, sizeof buffer);
    if (outcome->refused != NULL) {
        text_string(&t, "not searched: ");
        text_string(&t, outcome->refused);
        leak_say(&t);
    } else if (outcome->unstopped != 0) {
        text_string(&t, "not stopped: ");
        text_decimal(&t, outcome->unstopped);
        text_string(&t, outcome->unstopped == 1 ? " thread" : " threads");
        text_string(&t, ", searched while running");
        leak_say(&t);
    }
}

static const char not_freed_at[] = " not freed at ";
static const char lost_at[] = " lost at ";

static struct leak_total sum(struct leak_total a, struct leak_total b) {
    return (struct leak_total){a.blocks + b.blocks, a.bytes + b.bytes};
}

/* Gives the list out, under a title that says `what` there is; answers how much. */
static struct leak_total say_list(const struct caller *c, const char *what,
                                  const struct scan_outcome *outcome) {
    static const struct leak_total none;
    struct leak_total lost = leak_rows_total(LEAK_LOST), held = leak_rows_total(LEAK_HELD);
    struct leak_total total = sum(sum(lost, held), leak_rows_total(LEAK_UNTOLD));
    if (total.blocks != 0) {
        say_title(c, what, total, what != lost_at ? lost : none);
        say_outcome(outcome);
        leak_rows_print();
        stop_say_trailer();
    } else if (what == lost_at || leak_rows_total(LEAK_SUMMED).blocks != 0) {
        say_outcome(outcome);
    }
    return total;
}

/* --- lists ----------------------------------------------------------------------------------- */

static size_t list_searched(enum listed listed, bool exiting, const struct caller *c) {
    struct scan_outcome outcome;
    uint32_t since = 0;
    leak_rows_begin();
    if (scan_begin(exiting, &outcome)) {
        scan_each(count_searched, &listed);
        scan_end();
    } else if (listed != LISTED_LOST) {
        registry_each_live(count_block, &since);
    }
    struct leak_total total = say_list(c, listed == LISTED_LOST ? lost_at : not_freed_at, &outcome);
    leak_rows_end();
    return (size_t)total.blocks;
}

size_t check_leaks_at_exit(const struct caller *c) {
    return list_searched(LISTED_ALL, true, c);
}

size_t check_lost(const struct caller *c) {
    return list_searched(LISTED_LOST, false, c);
}

size_t check_leaks_since(uint32_t mark, const struct caller *c) {
    static const struct scan_outcome no_search;
    char buffer[64];
    struct text t;
    text_init(&t, buffer, sizeof buffer);
    text_string(&t, " allocated since mark ");
    text_decimal(&t, mark);
    text_string(&t, " and");
    text_string(&t, not_freed_at);
    leak_rows_begin();
    registry_each_live(count_block, &mark);
    struct leak_total total = say_list(c, buffer, &no_search);
    leak_rows_end();
    return (size_t)total.blocks;
}

size_t check_leaks(const struct caller *c) {
    check_drain(true, c);
    size_t blocks = list_searched(LISTED_POOL, false, c);
    if (blocks != 0 && options_get()->leaks == OPTIONS_LEAKS_FATAL)
        check_stop_for_leaks(blocks, c);
    return blocks;
}

void check_stop_for_leaks(size_t blocks, const struct caller *c) {
    struct stop_report *r = stop_claim();
    stop_begin(r, STOP_DRIVER_VERIFIER, STATUS_LEAKS, 0, 0, blocks, "blocks were not freed");
    text_decimal(stop_line(r, "leaked"), blocks);
    text_string(&r->text, blocks == 1 ? " block" : " blocks");
    stop_end_line(r);
    text_string(stop_line(r, "detected by"), c->routine);
    stop_end_line(r);
    stop_commit(r);
}
