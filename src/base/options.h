/*
 * RXPOOL_OPTIONS: key=value separated by colons, read once at start and then sealed read-only.
 * A key or value that is not valid is named on stderr with what would be, and then ignored.
 */
#ifndef RXPOOL_BASE_OPTIONS_H
#define RXPOOL_BASE_OPTIONS_H

#include <stdatomic.h>

#include "base/base.h"

enum options_by { OPTIONS_BY_TAG, OPTIONS_BY_MODULE, OPTIONS_BY_SITE };
enum options_side { OPTIONS_SIDE_OVER, OPTIONS_SIDE_UNDER, OPTIONS_SIDE_EXACT };
enum options_fail {
    OPTIONS_FAIL_NONE,
    OPTIONS_FAIL_NTH,
    OPTIONS_FAIL_PERCENT,
    OPTIONS_FAIL_STACK,  /* of every call stack */
    OPTIONS_FAIL_STACKS, /* of those that fail_stack names */
};
enum options_pool { OPTIONS_POOL_ANY, OPTIONS_POOL_PAGED, OPTIONS_POOL_NONPAGED };
enum options_attach { OPTIONS_ATTACH_DEFAULT, OPTIONS_ATTACH_PARENT, OPTIONS_ATTACH_USER };
enum options_leaks { OPTIONS_LEAKS_OFF, OPTIONS_LEAKS_REPORT, OPTIONS_LEAKS_FATAL };

/* Bits of `strict`. */
#define OPTIONS_STRICT_IRQL 1u
#define OPTIONS_STRICT_FOREIGN 2u
#define OPTIONS_STRICT_INTERIOR 4u
#define OPTIONS_STRICT_ARGS 8u
#define OPTIONS_STRICT_ALL 15u /* strict=1: also repeated and never-handed-out frees, see engine */

/* Kinds of violation, for on_error=; bits of options.logged. */
enum options_kind {
    KIND_HEADER,     /* a header overwritten */
    KIND_UNDERRUN,   /* bytes in front of a block overwritten */
    KIND_OVERRUN,    /* bytes behind a block overwritten */
    KIND_AFTER_FREE, /* a freed block overwritten, or touched on a guarded page */
    KIND_DOUBLE,     /* freed twice */
    KIND_ADDRESS,    /* a free of what is no block, or of another routine's */
    KIND_TAG,        /* a wrong or a bad tag */
    KIND_IRQL,
    KIND_ARGS, /* sizes, types, flags */
    KIND_LEAK,
    KIND_GUARD, /* an access that a guard page stopped */
    KINDS
};

#define OPTIONS_STACK_MOST 32u
#define OPTIONS_FAIL_STACKS_MOST 16u
#define OPTIONS_TAGS 128 /* bytes of a TAGS value, its terminator included */

struct options {
    uint64_t limit;      /* bytes the pool may hold, 0 = no limit */
    uint64_t quota;      /* bytes chargeable to quota, 0 = no limit */
    uint64_t quarantine; /* bytes of freed blocks kept by the checked build */
    uint32_t purge_ms;   /* how long idle memory may wait before it is given back */
    uint32_t strict;     /* OPTIONS_STRICT_ bits */
    enum options_by by;
    uint32_t logged; /* 1 << KIND_: the report is given out and the process goes on */
    enum options_attach attach;
    enum options_leaks leaks;
    bool fill;       /* fill fresh and freed blocks in the checked build */
    bool checked;    /* drop-in: header, guards and records for every block */
    bool stats_exit; /* stats=exit: the pool table on stderr (or report=FILE) at exit */
    enum options_side special_side;
    enum options_fail fail;
    uint32_t stacks;        /* frames of a call stack that a record keeps, 0 for none */
    uint64_t sweep;         /* every so many calls a live block is checked; 0 never */
    uint64_t special_size;  /* blocks of this size class get a guard page; 0 none */
    uint64_t special_every; /* so does one block in so many; 0 none */
    uint64_t fail_number;   /* NTH: which one; PERCENT: of 100 */
    uint64_t fail_seed;
    uint64_t fail_most;       /* failures in one process; 0 for no bound */
    uint64_t fail_size_least; /* bytes of an allocation that may fail */
    uint64_t fail_size_most;
    uint64_t fail_stack[OPTIONS_FAIL_STACKS_MOST]; /* STACKS: numbers of call stacks */
    uint32_t fail_stacks;                          /* how many those are */
    enum options_pool fail_type;                   /* the pool whose allocations may fail */
    bool fail_record;                              /* nothing fails; what would have is listed */
    uint64_t break_at;               /* sequence number of the allocation to stop at, 0 none */
    char special_tags[OPTIONS_TAGS]; /* TAGS whose blocks get a guard page; empty none */
    char fail_tags[OPTIONS_TAGS];    /* TAGS that may fail; empty all */
    char fail_file[256];             /* call stacks that were failed; empty none */
    char report[256];                /* report=FILE, empty for stderr */
};

/*
 * Whether the tag is in `tags`: patterns separated by commas, with * for any characters and ? for one,
 * against the tag's characters in memory order (unused bytes at its end left out).
 */
bool options_tag_in(const char *tags, uint32_t tag);

/* Whether any block is to have a guard page. */
RXP_INLINE bool options_special(const struct options *o) {
    return o->special_tags[0] != '\0' || o->special_size != 0 || o->special_every != 0;
}

/* NULL until they are sealed. Release and acquire: who has the pointer sees what it points to. */
extern RXP_HIDDEN _Atomic(const struct options *) options_sealed;
const struct options *options_read(void);

/* The sealed options; the first call parses the environment. Never fails. */
RXP_INLINE const struct options *options_get(void) {
    const struct options *sealed = atomic_load_explicit(&options_sealed, memory_order_acquire);
    return RXP_LIKELY(sealed != NULL) ? sealed : options_read();
}

/* No limit= is in force; false too as long as the options are not read. */
RXP_INLINE bool options_unlimited(void) {
    const struct options *sealed = atomic_load_explicit(&options_sealed, memory_order_acquire);
    return RXP_LIKELY(sealed != NULL) && sealed->limit == 0;
}

/*
 * Parses `spec` into *out (which holds the defaults on entry). For each bad item, calls
 * complain(message) with one line that names the item and what is valid. Returns the number of bad
 * items. Used by options_get and by `rxpool run`, which refuses a bad specification.
 * One caller at a time.
 */
unsigned options_parse(struct options *out, const char *spec, void (*complain)(const char *line));
void options_defaults(struct options *out);

#endif
