/*
 * The words of the checked build's reports. Each function gives one report out by stop.h and returns
 * only under on_error=log. Blocks are described from the registry, so a report reads no byte that
 * might not be there; only report_damage reads the damaged ones.
 */
#ifndef RXPOOL_CHECK_REPORT_H
#define RXPOOL_CHECK_REPORT_H

#include "base/stop.h"
#include "check/block.h"

/* Where the caller stands: the routine's name, file:line (NULL: unknown) and the return address (the same). */
struct caller {
    const char *routine;
    const char *file;
    uint32_t line;
    const void *pc;
};

/* The block's bytes are damaged. */
void report_damage(const struct caller *c, const struct record_info *info, const struct damage *d);
/* The same, found by a check that answers FALSE for it: a warning. */
void warn_damage(const struct caller *c, const struct record_info *info, const struct damage *d);
/*
 * The pool's list of free blocks was overwritten, as its answer `memory` shows; `info` is the block that
 * was there, or still is, NULL unknown.
 */
void report_free_list(const struct caller *c, uint64_t memory, const struct record_info *info,
                      const char *what);
/* A free of a block that is freed already (state HELD, GHOST or SET_ASIDE). */
void report_repeated_free(const struct caller *c, const struct record_info *info);
/* The same with other words: something else was done to it. */
void report_not_live(const struct caller *c, const struct record_info *info, const char *what);
/* A block freed by a routine that does not belong to the one that allocated it. */
void report_wrong_family(const struct caller *c, const struct record_info *info);
/* A free with another tag than the block's. */
void report_wrong_tag(const struct caller *c, const struct record_info *info, uint32_t tag);
/* A free at an IRQL at which the block may not be freed. */
void report_free_irql(const struct caller *c, const struct record_info *info, unsigned irql);
/* What a call asked for. */
struct report_request {
    uint32_t type; /* POOL_TYPE with modifiers */
    uint32_t tag;
    uint64_t size;
};

/* A request at an IRQL at which this type may not be allocated. */
void report_allocate_irql(const struct caller *c, const struct report_request *q, unsigned irql);
/* A request for no bytes. */
void report_zero_size(const struct caller *c, const struct report_request *q);
/* A request that the rules forbid: the stop `code` with these parameters. */
void report_request(const struct caller *c, uint32_t code, const uint64_t parameter[4],
                    const char *what, const struct report_request *q);
/* A tag with a byte outside 0x20 to 0x7E: a warning, the request is served. */
void report_odd_tag(const struct caller *c, const struct report_request *q);
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
/* Memory at `at`, which is not a live block's but near or in that of `info`, is about to be read or written. */
void report_access(const struct caller *c, const struct record_info *info, uint64_t at, bool write);
/* Memory of a live block that is about to be read holds the fill of fresh memory alone: a warning. */
void warn_unwritten(const struct caller *c, const struct record_info *info, uint64_t at);
/*
 * RxCheckMemoryBlock answers FALSE for `address`: a warning with the reason. `info` is what the
 * registry knows of this address, or of the block around it (its state NONE: nothing).
 */
void warn_unchecked(const struct caller *c, uint64_t address, const char *what,
                    const struct record_info *info);
/* A live paged block could not be checked at this IRQL: a warning. */
void warn_check_irql(const struct caller *c, const struct record_info *info, unsigned irql);
/* The same of an address that is not the pool's; `describe` says what else it is, NULL nothing. */
void report_nowhere(const struct caller *c, uint64_t address, const char *what,
                    void (*describe)(struct text *out, const void *address));
/* One line about something that is no violation, such as a checker that runs short of memory. */
void report_note(const char *line);
/*
 * Appends the line `pattern:` where the address is not one but what the checked build fills memory
 * with: a pointer that was read from memory never written, or freed.
 */
void report_pattern(struct text *out, uint64_t address);
/* Appends the lines `rx block:`, `allocated at:` and `freed at:`. */
void report_describe(struct text *out, const struct record_info *info);
/* Appends the sites and the history of a block, for a report whose other lines are not the checks'. */
void report_tell(struct text *out, const struct record_info *info, bool freed);
/* "Nonp" or "Paged". */
const char *report_type(uint32_t type);

#endif
