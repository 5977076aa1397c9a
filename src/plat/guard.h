/*
 * Pages that stop whoever touches them, and the faults that they give. linux_guard.c, linux_fault.c and
 * winuser_guard.c implement it. Addresses and sizes are multiples of a page, within what plat_commit made
 * writable; errno is left as it was.
 */
#ifndef RXPOOL_PLAT_GUARD_H
#define RXPOOL_PLAT_GUARD_H

#include "base/base.h"

/*
 * How many accessible stretches may lie between inaccessible ones at a time; SIZE_MAX where that costs
 * the system nothing. The first call finds out what the system has.
 */
size_t plat_guard_budget(void);
/* Makes pages inaccessible and gives their memory back. False when refused: they are as they were. */
bool plat_guard_close(void *address, size_t size);
/* Makes such pages accessible again, reading as zero. False when refused. */
bool plat_guard_open(void *address, size_t size);
/*
 * From now on a fault at an address is shown to `handler` first, on the thread that made it, in a
 * signal handler's conditions. True: the access is made again; false: whoever was asked before is.
 * False when refused.
 */
bool plat_fault_catch(bool (*handler)(uintptr_t address, bool write, const void *pc));

/* Milliseconds for which the calling thread has run, to keep its guards a share of them. A system call. */
uint64_t plat_thread_ms(void);

#endif
