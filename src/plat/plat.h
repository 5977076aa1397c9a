/*
 * What the project asks of an operating system. One file implements it for each (linux.c); only those
 * files name one. Preconditions, once for all: sizes are multiples of plat_page_size, addresses too,
 * and no call allocates through the pool.
 */
#ifndef RXPOOL_PLAT_PLAT_H
#define RXPOOL_PLAT_PLAT_H

#include "base/base.h"

/* --- address space --------------------------------------------------------------------------- */

/*
 * Reserves `size` bytes of inaccessible address space aligned to `align` (a power of two), with an
 * inaccessible page in front of it and one behind it, uncharged and left out of core dumps. NULL when refused.
 */
void *plat_reserve(size_t size, size_t align);
/* Makes reserved bytes readable, writable, zero, and part of core dumps. False when refused. */
bool plat_commit(void *address, size_t size);
/* Gives the memory back; the bytes stay committed and read as zero. */
void plat_purge(void *address, size_t size);
/* Unmaps a whole reservation. `size` is as given to plat_reserve. */
void plat_release(void *address, size_t size);
/* Bytes of address space that this process may still map; SIZE_MAX where nothing limits it. */
size_t plat_address_space_left(void);

/* --- locks ----------------------------------------------------------------------------------- */

/* Zero-initialised is unlocked. Not recursive. 0 free, 1 held, 2 held and waited for. */
struct plat_lock {
    uint32_t word;
};
void plat_lock_acquire(struct plat_lock *lock);
bool plat_lock_try(struct plat_lock *lock);
void plat_lock_release(struct plat_lock *lock);

/* --- threads --------------------------------------------------------------------------------- */

uint32_t plat_thread_id(void); /* for reports only: ids are reused */
/* Calls hook(argument) when the calling thread ends, after its own thread-local destructors where possible. */
bool plat_at_thread_exit(void (*hook)(void *), void *argument);
/* Registers fork handlers once; false when refused. */
bool plat_at_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
/* Calls hook() when the process exits in order, as late as possible; the last one first. False when refused. */
bool plat_at_exit(void (*hook)(void));
void plat_yield(void);

/* --- time ------------------------------------------------------------------------------------ */

uint64_t plat_clock_ms(void); /* monotonic, coarse (up to 10 ms off), cheap */

/* --- reports --------------------------------------------------------------------------------- */

/* The text of RXPOOL_OPTIONS, or NULL. */
const char *plat_options(void);
/* Writes to stderr, or appends to `file` when not NULL and not empty. Async-signal-safe. */
void plat_report(const char *file, const char *text, size_t length);
/* Ends the process abnormally after a stop report (SIGABRT). */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
void plat_stop(uint32_t code, const uint64_t parameter[4]);
/* Reads bytes that may not be there: false instead of a fault. */
bool plat_read_memory(const void *address, void *out, size_t size);
/* Lets processes of the same user (or the parent only) read this one, by the system's own rules. */
void plat_allow_readers(bool any_of_user);

#endif
