/* Pages that come before they are touched. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "plat/plat.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define MS 1000000ull
/* What took this thread longer was memory being moved about to make room. */
#define HUGE_LONG (20 * MS)
#define HUGE_PAUSE (1000 * MS)

static _Atomic bool populate_is_unknown;

void plat_populate(void *address, size_t size) {
    int error = errno;
    if (!atomic_load_explicit(&populate_is_unknown, memory_order_relaxed) &&
        madvise(address, size, MADV_POPULATE_WRITE) != 0 && errno == EINVAL)
        atomic_store_explicit(&populate_is_unknown, true, memory_order_relaxed);
    errno = error;
}

/* --- huge pages ---------------------------------------------------------------------------------- */

static _Atomic uint64_t huge_not_before;

static uint64_t nanoseconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000 * MS + (uint64_t)t.tv_nsec;
}

static bool says_never(const char *path) {
    char text[64];
    int error = errno, fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    errno = error;
    return n <= 0 || memmem(text, (size_t)n, "[never]", 7) != NULL;
}

/* MADV_COLLAPSE does not ask what the administrator has set. No such file: no huge pages, or nobody can tell. */
bool plat_huge_ready(void) {
    static _Atomic enum { NOT_ASKED, NEVER, ALLOWED } setting;
    if (RXP_UNLIKELY(atomic_load_explicit(&setting, memory_order_relaxed) == NOT_ASKED))
        atomic_store_explicit(
            &setting, says_never("/sys/kernel/mm/transparent_hugepage/enabled") ? NEVER : ALLOWED,
            memory_order_relaxed);
    return atomic_load_explicit(&setting, memory_order_relaxed) == ALLOWED &&
           nanoseconds(CLOCK_MONOTONIC) >=
               atomic_load_explicit(&huge_not_before, memory_order_relaxed);
}

/* No advice for what comes later: what is given back of it shall not be made huge again behind the pool's back. */
bool plat_populate_huge(void *address) {
    int error = errno;
    uint64_t begin = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    /* The kernel makes no huge page where there is not one small page. */
    *(volatile char *)address = 0;
    bool done = madvise(address, PLAT_HUGE, MADV_COLLAPSE) == 0;
    if (!done || nanoseconds(CLOCK_THREAD_CPUTIME_ID) - begin > HUGE_LONG)
        atomic_store_explicit(&huge_not_before, nanoseconds(CLOCK_MONOTONIC) + HUGE_PAUSE,
                              memory_order_relaxed);
    errno = error;
    return done;
}
