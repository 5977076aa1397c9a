/*
 * The words of the checked build's reports. Each function gives one report out by stop.h and returns
 * only under on_error=log. Blocks are described from the registry, so a report reads no byte that
 * might not be there; only report_damage reads the damaged ones.
 */
#ifndef RXPOOL_CHECK_REPORT_H
#define RXPOOL_CHECK_REPORT_H

#include "base/stop.h"
#include "check/block.h"

/* Where the caller stands: the routine's name, and file:line (NULL: unknown). */
struct caller {
    const char *routine;
    const char *file;
    uint32_t line;
};

/* The block's bytes are damaged. */
void report_damage(const struct caller *c, const struct record_info *info, const struct damage *d);
/* The same, found by a check that answers FALSE for it: a warning. */
void warn_damage(const struct caller *c, const struct record_info *info, const struct damage *d);
/* A free of a block that is freed already (state HELD, GHOST or SET_ASIDE). */
void report_repeated_free(const struct caller *c, const struct record_info *info);
/* A free with another tag than the block's. */
void report_wrong_tag(const struct caller *c, const struct record_info *info, uint32_t tag);
/* A free at an IRQL at which the block may not be freed. */
void report_free_irql(const struct caller *c, const struct record_info *info, unsigned irql);
/* A request at an IRQL at which this type may not be allocated. */
void report_allocate_irql(const struct caller *c, uint32_t type, uint64_t size, unsigned irql);
/* A request for no bytes. */
void report_zero_size(const struct caller *c, uint32_t type, uint32_t tag);
/* A tag with a byte outside 0x20 to 0x7E: a warning, the request is served. */
void report_odd_tag(const struct caller *c, uint64_t size, uint32_t type, uint32_t tag);
/* A request that does not fit a ULONG: a warning, the request is refused. */
void report_size_refused(const struct caller *c, uint32_t type, uint32_t tag);
/* A signed block, or a plain one, given to a routine of the other kind. */
void report_wrong_routine(const struct caller *c, const struct record_info *info, const char *what);
/*
 * A free of an address that no record knows. `what` says what it is; `code` is parameter 1 of stop
 * 0xC2; `around` is the block that the address lies in, NULL for none.
 */
void report_bad_address(const struct caller *c, uint64_t address, uint32_t code, const char *what,
                        const struct record_info *around);
/* One line about something that is no violation, such as a checker that runs short of memory. */
void report_note(const char *line);
/* Appends the lines `rx block:`, `allocated at:` and `freed at:`. */
void report_describe(struct text *out, const struct record_info *info);
/* "Nonp" or "Paged". */
const char *report_type(uint32_t type);

#endif
