/*
 * What the project asks of an operating system. linux*.c and winuser*.c implement it; only those files
 * name one. Preconditions, once for all: sizes are multiples of plat_page_size, addresses too,
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
/* Gives the memory back; the bytes stay readable and writable. False where they may not read as zero now. */
bool plat_purge(void *address, size_t size);
/*
 * Moves the pages of [from, from + size) to the start of [to, to + room). All of both is committed, and `from` is part of
 * one mapping at most: a place that pages were moved to is a mapping of its own until it is renewed. Afterwards `from` and
 * `to` behind `size` read as zero; what lay at `to` is gone. False: nothing was moved, the system cannot or will not.
 */
bool plat_move_pages(void *from, size_t size, void *to, size_t room);
/* As plat_purge, and no mapping of its own is left. */
bool plat_renew(void *address, size_t size);
/*
 * Makes the pages of committed bytes that are about to be written be there, by one call in place of a fault each. A hint:
 * may do nothing.
 */
void plat_populate(void *address, size_t size);
/*
 * The same for PLAT_HUGE bytes on such a boundary, none of them touched yet, by a huge page; only where they are ready.
 * False where there was none to be had: then their first page may be there.
 */
#define PLAT_HUGE ((size_t)2 << 20)
bool plat_populate_huge(void *address);
/* Whether the system has huge pages and the administrator allows them, and they were had without delay lately. */
bool plat_huge_ready(void);
/* Unmaps a whole reservation. `size` is as given to plat_reserve. */
void plat_release(void *address, size_t size);
/* Bytes of address space that this process may still map; SIZE_MAX where nothing limits it. */
size_t plat_address_space_left(void);

/* --- locks ----------------------------------------------------------------------------------- */

/*
 * Zero-initialised is unlocked. Not recursive. In a kernel a spin lock: who holds it is at
 * DISPATCH_LEVEL.
 */
struct plat_lock {
    uint32_t
        word; /* user mode: 0 free, 1 held, 2 held and waited for; kernel: the IRQL to go back to */
    uintptr_t spin; /* kernel */
};
void plat_lock_acquire(struct plat_lock *lock);
bool plat_lock_try(struct plat_lock *lock);
void plat_lock_release(struct plat_lock *lock);

/* --- threads --------------------------------------------------------------------------------- */

uint32_t plat_thread_id(void); /* for reports only: ids are reused */
/*
 * Calls hook(argument) when the calling thread ends, after its own thread-local destructors where possible.
 * A thread may have PLAT_EXIT_HOOKS different hooks; false when refused.
 */
#define PLAT_EXIT_HOOKS 4
bool plat_at_thread_exit(void (*hook)(void *), void *argument);
/*
 * Makes every running thread of the process pass a full memory barrier before it returns; false, without
 * one, where the system offers none.
 */
bool plat_barrier(void);
/* Registers fork handlers once; false when refused. Where there is no fork they are never called. */
bool plat_at_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
/* Calls hook() when the process exits in order, as late as possible; the last one first. False when refused. */
bool plat_at_exit(void (*hook)(void));
void plat_yield(void);

/*
 * The calling thread's stack: return addresses, the caller's own first, at most `most` of them into
 * frames[]; answers how many. `from` NULL: beginning with the return address of the function that calls
 * this; else with the frame that returns to `from` (alone, when the walk does not come by it). The code
 * that a signal interrupted appears as its instruction's address + 1, so that `frame - 1` lies in the
 * calling instruction of every frame.
 *
 * Takes no lock, allocates nothing and never faults, whatever the stack looks like; safe in a signal
 * handler and inside the loader. The walk ends early at code without unwind information.
 */
unsigned plat_backtrace(const void *from, const void **frames, unsigned most);
/*
 * The path of the module that the call in front of `pc` is in, and the offset of pc in it; NULL for
 * none. The name is valid while the module is loaded. Call it with no lock held; allocates nothing.
 */
const char *plat_module_of(const void *pc, uint64_t *offset);
/* The path that plat_module_of answers for the program itself; NULL when it cannot be told. */
const char *plat_program(void);

/*
 * Whether what lies at the address stays there, unchanged, while the process lives: the program's own constants.
 * False where that cannot be told.
 */
bool plat_is_constant(const void *address);

/* --- time ------------------------------------------------------------------------------------ */

uint64_t plat_clock_ms(void); /* monotonic, coarse (up to 16 ms off), cheap */

/* --- files ----------------------------------------------------------------------------------- */

/* Appends text to the file (made where there is none) by one write; false when refused. */
bool plat_append(const char *file, const char *text, size_t length);
/* Reads at most `size` bytes at `offset`; answers how many: 0 at the end, or where none can be read. */
size_t plat_read_file(const char *file, uint64_t offset, void *out, size_t size);

/* --- reports --------------------------------------------------------------------------------- */

/* The text of RXPOOL_OPTIONS, or NULL. */
const char *plat_options(void);
/*
 * Sets options for a driver, which has no environment; false when they are too long or in force already, and
 * in user mode, where they are the user's.
 */
bool plat_configure(const char *spec);
/*
 * Takes up to `size` bytes of what was reported, in order, where reports wait for a driver to take them;
 * 0 when there are none, and in user mode. *dropped gets how many reports found no room since the last call.
 */
size_t plat_report_take(char *out, size_t size, uint32_t *dropped);
/* Writes to stderr, or appends to `file` when not NULL and not empty. Async-signal-safe. */
void plat_report(const char *file, const char *text, size_t length);
/* Ends the process abnormally after a stop report: SIGABRT; Windows: STATUS_FAIL_FAST_EXCEPTION. */
RXP_NORETURN void plat_stop(uint32_t code, const uint64_t parameter[4]);
/* Stops where a debugger is to look; without one that is the end: SIGTRAP, Windows: a breakpoint. */
void plat_break(void);
/* Reads bytes that may not be there: false instead of a fault. */
bool plat_read_memory(const void *address, void *out, size_t size);
/*
 * Whether the system watches what this image allocates with guards of its own: Driver Verifier, in a
 * kernel; nobody elsewhere. Asked once, at PASSIVE_LEVEL; above it the answer is no.
 */
bool plat_pool_is_guarded(void);
/* Lets processes of the same user (or the parent only) read this one, by the system's own rules. */
void plat_allow_readers(bool any_of_user);

#endif
