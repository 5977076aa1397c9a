/*
 * RXPOOL_OPTIONS: key=value separated by colons, read once at start and then sealed read-only.
 * A key or value that is not valid is named on stderr with what would be, and then ignored.
 */
#ifndef RXPOOL_BASE_OPTIONS_H
#define RXPOOL_BASE_OPTIONS_H

#include "base/base.h"

enum options_by { OPTIONS_BY_TAG, OPTIONS_BY_MODULE, OPTIONS_BY_SITE };
enum options_on_error { OPTIONS_STOP, OPTIONS_LOG };
enum options_attach { OPTIONS_ATTACH_DEFAULT, OPTIONS_ATTACH_PARENT, OPTIONS_ATTACH_USER };
enum options_leaks { OPTIONS_LEAKS_OFF, OPTIONS_LEAKS_REPORT, OPTIONS_LEAKS_FATAL };

/* Bits of `strict`. */
#define OPTIONS_STRICT_IRQL 1u
#define OPTIONS_STRICT_FOREIGN 2u
#define OPTIONS_STRICT_INTERIOR 4u
#define OPTIONS_STRICT_ARGS 8u
#define OPTIONS_STRICT_ALL 15u /* strict=1: also repeated and never-handed-out frees, see engine */

struct options {
    uint64_t limit;      /* bytes the pool may hold, 0 = no limit */
    uint64_t quota;      /* bytes chargeable to quota, 0 = no limit */
    uint64_t quarantine; /* bytes of freed blocks kept by the checked build */
    uint32_t purge_ms;   /* how long idle memory may wait before it is given back */
    uint32_t strict;     /* OPTIONS_STRICT_ bits */
    enum options_by by;
    enum options_on_error on_error;
    enum options_attach attach;
    enum options_leaks leaks;
    bool fill;        /* fill fresh and freed blocks in the checked build */
    bool stats_exit;  /* stats=exit: the pool table on stderr (or report=FILE) at exit */
    char report[256]; /* report=FILE, empty for stderr */
};

/* The sealed options; the first call parses the environment. Never fails. */
const struct options *options_get(void);

/*
 * Parses `spec` into *out (which holds the defaults on entry). For each bad item, calls
 * complain(message) with one line that names the item and what is valid. Returns the number of bad
 * items. Used by options_get and by `rxpool run`, which refuses a bad specification.
 */
unsigned options_parse(struct options *out, const char *spec, void (*complain)(const char *line));
void options_defaults(struct options *out);

#endif
