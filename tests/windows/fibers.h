/* The parts of test_fibers.c that need Windows' own headers, which know none of the kit's. */
#ifndef RXPOOL_TESTS_WINDOWS_FIBERS_H
#define RXPOOL_TESTS_WINDOWS_FIBERS_H

#include <stdbool.h>

/* Makes a fiber of the calling thread; NULL when refused. */
void *fibers_begin(void);
/* A fiber that runs run(argument), which must never return. */
void *fibers_make(void (*run)(void *argument), void *argument);
void fibers_go(void *fiber);
void fibers_delete(void *fiber);
/* Runs run(argument) on a thread of its own, and waits for its end. */
bool fibers_on_thread(void (*run)(void *argument), void *argument);
/* Ends the calling thread, whatever fiber it is on. */
void fibers_end_thread(void);

#endif
