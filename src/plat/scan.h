/*
 * What a search for references asks of an operating system: all other threads stopped, and every
 * word of this process's memory in which a program may keep a pointer, but for what the project has
 * reserved for itself by plat_reserve: the pool, and the records about it, which the caller knows
 * better. Nothing here allocates, and memory that is not there is passed over, never touched.
 *
 * One search at a time: the caller sees to that. linux_scan.c stops, linux_roots.c reads;
 * no_scan.c is for a system where nothing of it can be had.
 */
#ifndef RXPOOL_PLAT_SCAN_H
#define RXPOOL_PLAT_SCAN_H

#include "base/base.h"

struct plat_scan {
    const char *refused; /* why there is no search, in words; NULL where there never is one */
    unsigned unstopped;  /* threads that went on: they block signals, or did not answer in time */
};

/* Gets `count` words that were read; they are good until it returns. */
struct plat_scan_visitor {
    void (*words)(void *argument, const uintptr_t *words, size_t count);
    void *argument;
};

/*
 * Stops the other threads, for two seconds' trying at most. `exiting`: the caller is inside exit(),
 * whose own frames hold nothing for the program. False, with nothing stopped, where out->refused
 * may say why.
 */
bool plat_scan_begin(bool exiting, struct plat_scan *out);
/*
 * Between begin and end: passes registers, stacks and all other memory that the process can have
 * written, thread-local and loaded modules' included.
 */
void plat_scan_roots(const struct plat_scan_visitor *visitor);
/* Between begin and end: passes the whole words of `bytes` bytes of the pool at `start`. */
void plat_scan_memory(const void *start, size_t bytes, const struct plat_scan_visitor *visitor);
/* Lets the threads go on. */
void plat_scan_end(void);

#endif
