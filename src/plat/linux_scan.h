/* What linux_scan.c, linux_roots.c and linux_pages.c share: the stopped threads, and memory of their own. */
#ifndef RXPOOL_PLAT_LINUX_SCAN_H
#define RXPOOL_PLAT_LINUX_SCAN_H

#include <stdatomic.h>

#include "plat/scan.h"

#define SCAN_PAGE ((size_t)4096)
#define SCAN_RED_ZONE ((size_t)128) /* below the stack pointer, in use all the same */
#define SCAN_REGISTERS 23u          /* general ones in a signal's context */
#define SCAN_BUFFER_BYTES ((size_t)64 << 10)
#define SCAN_PAGES_AT_ONCE 4096u
#define SCAN_TEXT_BYTES ((size_t)16 << 10) /* a line of /proc/self/maps fits */
#define SCAN_THREADS_MAX 4096u

enum scan_thread_state {
    SCAN_THREAD_NEW,
    SCAN_THREAD_BLOCKED, /* blocks the signal: it was not sent */
    SCAN_THREAD_SENT,    /* has not answered */
    SCAN_THREAD_STOPPED, /* waits in the handler */
    SCAN_THREAD_ENDED,   /* is gone, or will not run any more */
};

struct scan_thread {
    uint32_t tid;
    _Atomic uint32_t state;
    uint32_t round; /* in which it was last seen */
    uint32_t tries;
    /* Set by the thread itself before it is STOPPED. */
    uintptr_t stack_pointer;
    uintptr_t thread_pointer; /* glibc keeps what it points to on top of the thread's stack */
    uintptr_t registers[SCAN_REGISTERS];
    uintptr_t vectors; /* saved vector registers */
    size_t vector_bytes;
};

/*
 * Reserved by plat_reserve, so that no search takes it for the program's memory: it holds copies of
 * what was read.
 */
struct scan_memory {
    uintptr_t buffer[SCAN_BUFFER_BYTES / sizeof(uintptr_t)];
    uint64_t pages[SCAN_PAGES_AT_ONCE];
    char text[SCAN_TEXT_BYTES];
    struct scan_thread self; /* the thread that searches; its registers are those it must keep */
    struct scan_thread thread[SCAN_THREADS_MAX];
    unsigned threads;
    unsigned unstopped;       /* they may take memory away at any time */
    int maps, tasks, pagemap; /* files of /proc/self; -1 for none */
};

/* NULL before the first search. */
extern struct scan_memory *scan_memory;

/* Bytes read from `start`, up to what is not there; never faults. */
size_t scan_read(uintptr_t start, void *out, size_t bytes);

/*
 * The next run of pages at or behind *at, in a mapping that goes on to `end` at least, which the program
 * can have left something in: of a writable mapping any that is there, of another one those that were
 * written once. *at moves behind it. False, with *at at the first page that could not be told, or at
 * `end` or behind it when there is none.
 */
bool scan_next_pages(uintptr_t *at, uintptr_t end, bool writable, uintptr_t *from, uintptr_t *to);
/* Set where the system was found not to tell runs of pages; a test may. */
extern _Atomic bool scan_only_words;

/* Of linux.c: the lowest reservation that ends behind `from`; false when there is none. */
bool linux_reservation(uintptr_t from, uintptr_t *start, uintptr_t *end);

#endif
