/*
 * The stop report: the one file that prints errors (stop.c), in the fixed form of the manual:
 *
 *   *** STOP: 0x000000C2 BAD_POOL_CALLER (0x%016llX, 0x%016llX, 0x%016llX, 0x%016llX)
 *   what: a sentence
 *   block: 0x... size N tag Tset type Nonp
 *   allocated at: FILE:LINE                  or MODULE+0xOFFSET; with stacks= the frames behind (frames.h)
 *   freed at: FILE:LINE
 *   detected at: FILE:LINE
 *   damage: offset N, bytes xx xx (expected yy yy)
 *   (hex dump rows)
 *
 * A report is built by the layer that found the violation, line by line, and given out whole.
 * Nothing here allocates or takes a lock that the guarded code may hold.
 */
#ifndef RXPOOL_BASE_STOP_H
#define RXPOOL_BASE_STOP_H

#include "base/text.h"

/* Codes and names: nt-level constants, kept here so that no NT header is needed below ex. */
enum stop_code {
    STOP_KMODE_EXCEPTION_NOT_HANDLED = 0x1E,
    STOP_BAD_POOL_HEADER = 0x19,
    STOP_SPECIAL_POOL = 0xC1,
    STOP_BAD_POOL_CALLER = 0xC2,
    STOP_DRIVER_VERIFIER = 0xC4,
    STOP_FREED_SPECIAL_POOL = 0xCC,
    STOP_SPECIAL_POOL_OVERRUN = 0xCD,
    STOP_KERNEL_MODE_HEAP_CORRUPTION = 0x13A,
};

/* Three stacks of the most frames, with paths of some 100 bytes, and everything else. */
#define STOP_TEXT_CAPACITY 16384

struct stop_report {
    uint32_t code;
    uint64_t parameter[4];
    struct text text;
    char buffer[STOP_TEXT_CAPACITY];
};

/*
 * The process's one report buffer, for callers whose stack has no room for a struct stop_report: waits
 * while another thread reports, and belongs to the caller until stop_commit. A thread that already
 * holds it has found a violation while it reports one: that prints one line and ends at once.
 */
struct stop_report *stop_claim(void);
/* Starts a report: writes the first line and the `what:` line. */
void stop_begin(struct stop_report *r, uint32_t code, uint64_t p1, uint64_t p2, uint64_t p3,
                uint64_t p4, const char *what);
/*
 * Starts a warning instead: `*** WARNING` and the `what:` line. stop_commit gives it out and returns
 * whatever on_error says: nothing was violated that could not be refused.
 */
void stop_warn(struct stop_report *r, const char *what);
/* Adds `key: ` and leaves the value to the text_ calls on &r->text; stop_end_line ends the line. */
struct text *stop_line(struct stop_report *r, const char *key);
void stop_end_line(struct stop_report *r);
/* Adds `key: FILE:LINE`. A NULL file is left out. */
void stop_site(struct stop_report *r, const char *key, const char *file, uint32_t line);
/* Adds `key: MODULE+0xOFFSET` for a return address of the calling thread, and the frames behind it. */
void stop_caller(struct stop_report *r, const char *key, const void *pc);
/*
 * Gives the report out (stderr or report=FILE), one that did not fit with a last line that says so, and
 * ends the process as a kernel would the machine; returns only under on_error=log, and then the caller
 * goes on without touching the block.
 * A violation found while a report is given out by the same thread prints one line and ends at once.
 */
void stop_commit(struct stop_report *r);
/*
 * Every report ends with the lines that `trailer` adds, whole ones; one in a process. It is called while
 * no structure is to be trusted: it takes no lock that the caller of stop_commit may hold.
 */
void stop_set_trailer(void (*trailer)(struct text *out));
/* Gives those lines out, behind what was given out past stop_commit. Not within a report. */
void stop_say_trailer(void);
/* "BAD_POOL_CALLER" for 0xC2; "UNKNOWN" for a code that this project never gives. */
const char *stop_name(uint32_t code);

#endif
