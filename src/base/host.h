/*
 * The few calls that base itself needs of the system. plat implements them (plat.h declares them for
 * everybody else); base sees no more of it than this.
 */
#ifndef RXPOOL_BASE_HOST_H
#define RXPOOL_BASE_HOST_H

#include "base/base.h"

/* The text of RXPOOL_OPTIONS, or NULL. */
const char *plat_options(void);
/* Writes to stderr, or appends to `file` when not NULL and not empty. Async-signal-safe. */
void plat_report(const char *file, const char *text, size_t length);
/* Ends the process abnormally after a stop report. */
RXP_NORETURN void plat_stop(uint32_t code, const uint64_t parameter[4]);
/* The stack, and the module of an address: see plat.h. */
unsigned plat_backtrace(const void *from, const void **frames, unsigned most);
const char *plat_module_of(const void *pc, uint64_t *offset);
/* Reads bytes that may not be there: false instead of a fault. */
bool plat_read_memory(const void *address, void *out, size_t size);
/* Of the calling thread; never 0. */
uint32_t plat_thread_id(void);
/* Lets other threads run. */
void plat_yield(void);

#endif
