/*
 * Reading pool tables: of this process, of another one while it runs, or of a core file.
 *
 * A target is opened once and read as often as wanted; each read replaces the rows of the one
 * before. The reader changes nothing in the target, does not stop it, believes nothing that it
 * finds there, and never allocates from a pool itself. None of these calls is for use at raised
 * IRQL. A handle is for one thread at a time. User mode only; no page of Microsoft's describes this
 * interface (the columns are PoolMon's).
 *
 * What the figures mean: with no call in flight in the target, every one is exact. Under load,
 * allocs and frees are each what held at some instant within the read, and diff is never negative.
 * A row that could not be read consistently (a core taken in the middle of a change) carries
 * RXPOOL_STATS_TORN.
 */
#ifndef RXPOOL_STATS_H
#define RXPOOL_STATS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __ELF__
#define RXPOOL_STATS_API __attribute__((visibility("default")))
#else
#define RXPOOL_STATS_API
#endif

/* Of the records below. It rises when a field is added at the end; fields never move or go. */
#define RXPOOL_STATS_VERSION 1u

/* An open target. */
struct rxpool_stats;

/* How a call ended. */
enum rxpool_stats_status {
    RXPOOL_STATS_OK = 0,
    RXPOOL_STATS_GONE,             /* no such process, or it ended meanwhile; no such file */
    RXPOOL_STATS_DENIED,           /* the system does not let this process read the target */
    RXPOOL_STATS_NO_POOL,          /* the target can be read and has no pool */
    RXPOOL_STATS_FORMAT,           /* not a core file, or of another machine */
    RXPOOL_STATS_VERSION_MISMATCH, /* a pool of another version of the library */
    RXPOOL_STATS_DAMAGED, /* the target's tables contradict themselves, or the core is cut short */
    RXPOOL_STATS_MEMORY,  /* this process is short of memory */
};

/* Why a call failed: one line for a person, without a newline. */
struct rxpool_stats_error {
    enum rxpool_stats_status status;
    char text[256];
};

#define RXPOOL_STATS_PAGED 1u /* row.flags: paged pool; nonpaged otherwise */
#define RXPOOL_STATS_TORN 2u  /* the row may be off: shown as `~` */
#define RXPOOL_STATS_OVERFLOW                                                                      \
    4u /* the row also stands for accounts beyond the 65,535 that can be kept apart */

/* One row: a tag, a pool type and, where the target asked for it, a module or a call site. */
struct rxpool_stats_row {
    uint32_t tag;   /* little-endian: its first character is the low byte */
    uint32_t flags; /* RXPOOL_STATS_ bits */
    uint32_t name;  /* of the module or site, for rxpool_stats_name; 0 is none */
    uint32_t line;  /* of the call site; 0 where the name is a module's */
    uint64_t allocs;
    uint64_t frees; /* by the program: blocks kept in a checked build's quarantine count as freed */
    uint64_t diff;  /* allocs - frees */
    uint64_t bytes; /* of live blocks, rounded to blocks as the pool counts them */
    uint64_t per_alloc;     /* bytes / diff, rounded down as PoolMon does; 0 where diff is 0 */
    uint64_t caller_bytes;  /* bytes less a checked build's headers and guards */
    uint64_t quota_charged; /* bytes */
};

/* The whole target at the time of a read. */
struct rxpool_stats_summary {
    uint32_t version; /* RXPOOL_STATS_VERSION of the library */
    uint32_t pid;
    uint32_t rows;
    uint32_t by;            /* what rows stand for: 0 tags, 1 modules, 2 call sites */
    uint32_t checked;       /* not 0: the checked build's pool */
    uint32_t heaps;         /* ever made, one for each thread that ran at the same time */
    uint64_t live_bytes;    /* of slabs and spans in service */
    uint64_t idle_bytes;    /* free, not yet given back to the system */
    uint64_t foreign_frees; /* blocks of another allocator that were freed through this one */
};

/*
 * Opens the calling process; it has a pool from its first allocation on. On success *stats is the
 * handle, to be given to rxpool_stats_close. On failure *stats is NULL and *error, which may be
 * NULL, says why.
 */
RXPOOL_STATS_API enum rxpool_stats_status rxpool_stats_open_self(struct rxpool_stats **stats,
                                                                 struct rxpool_stats_error *error);
/*
 * Opens a live process. Who may is decided by the kernel's rules for ptrace(2): the same user where
 * no security module narrows it, or CAP_SYS_PTRACE; the target's RXPOOL_OPTIONS=attach=parent|user
 * widens it.
 */
RXPOOL_STATS_API enum rxpool_stats_status
rxpool_stats_open_pid(pid_t pid, struct rxpool_stats **stats, struct rxpool_stats_error *error);
/* Opens an ELF core file, of the kernel or of gcore. */
RXPOOL_STATS_API enum rxpool_stats_status rxpool_stats_open_core(const char *path,
                                                                 struct rxpool_stats **stats,
                                                                 struct rxpool_stats_error *error);

/* Reads the table afresh. On failure the handle has no rows; it may be read again. */
RXPOOL_STATS_API enum rxpool_stats_status rxpool_stats_read(struct rxpool_stats *stats,
                                                            struct rxpool_stats_error *error);
/* Of the last read. The pointer holds until the next read or close. */
RXPOOL_STATS_API const struct rxpool_stats_summary *
rxpool_stats_summary(const struct rxpool_stats *stats);
/* A row of the last read, most bytes first; NULL from summary.rows on. Held like the summary. */
RXPOOL_STATS_API const struct rxpool_stats_row *rxpool_stats_row(const struct rxpool_stats *stats,
                                                                 uint32_t index);
/*
 * The text of row.name: printable, terminated, "" for 0 and for a name that could not be read. Held
 * like the rows.
 */
RXPOOL_STATS_API const char *rxpool_stats_name(const struct rxpool_stats *stats, uint32_t name);
/* Ends the handle; NULL is allowed. */
RXPOOL_STATS_API void rxpool_stats_close(struct rxpool_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
