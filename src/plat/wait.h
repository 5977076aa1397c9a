/*
 * Threads, waiting and clocks: what the dispatcher objects and worker threads of ex ask of an
 * operating system beyond plat.h. Nothing here allocates through the pool.
 */
#ifndef RXPOOL_PLAT_WAIT_H
#define RXPOOL_PLAT_WAIT_H

#include "base/base.h"

#define PLAT_FOREVER UINT64_MAX

/*
 * Sleeps while *word == expected, at most `timeout` nanoseconds; may also return without a cause.
 * False when the time has passed.
 */
bool plat_wait(const uint32_t *word, uint32_t expected, uint64_t timeout);
/* Wakes up to `count` sleepers on `word`, which is only an address here: its memory may be gone. */
void plat_wake(const uint32_t *word, unsigned count);

/* Starts a detached thread; false when refused. */
bool plat_thread_start(void (*routine)(void *), void *argument);
/* Ends the calling thread. */
__attribute__((noreturn)) void plat_thread_exit(void);

uint64_t plat_clock_ns(void);   /* monotonic */
uint64_t plat_clock_1601(void); /* 100 ns units since 1 January 1601 UTC */
uint32_t plat_process_id(void);

#endif
