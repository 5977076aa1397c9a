/*
 * guard.h on Linux: MADV_GUARD_INSTALL where the kernel has it (6.13 and later; it marks page table
 * entries, so that a mapping stays one however many guards lie in it), else mprotect, which splits the
 * mapping at every guard and so ends at vm.max_map_count.
 */
#define _GNU_SOURCE
#include "plat/guard.h"
#include "plat/linux_proc.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

/* Not in the headers that this is built with; part of the kernel's interface. */
#define GUARD_INSTALL 102
#define GUARD_REMOVE 103

#define PAGE ((size_t)4096)
#define MAPS_DEFAULT 65530u
#define MAPS_SHARE 16u /* of max_map_count is left to the program */

enum { UNKNOWN, INSTALLS, PROTECTS };

static _Atomic int way;
/* Locked memory takes no installed guards: there are protected ones too. */
static _Atomic bool mixed;
/* Pages that could not be given back (mlockall): what is opened must be cleared. */
static _Atomic bool stale;

static int find_way(void) {
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool works = page != MAP_FAILED && madvise(page, PAGE, GUARD_INSTALL) == 0;
    if (page != MAP_FAILED)
        munmap(page, PAGE);
    return works ? INSTALLS : PROTECTS;
}

static bool installs(void) {
    int known = atomic_load_explicit(&way, memory_order_relaxed);
    if (known == UNKNOWN) {
        int saved = errno;
        known = find_way();
        atomic_store_explicit(&way, known, memory_order_relaxed);
        errno = saved;
    }
    return known == INSTALLS;
}

static size_t max_map_count(void) {
    size_t count = linux_number_in("/proc/sys/vm/max_map_count");
    return count != 0 ? count : MAPS_DEFAULT;
}

/* An accessible stretch is a mapping, and so is what lies between it and the next one. */
size_t plat_guard_budget(void) {
    if (installs())
        return SIZE_MAX;
    int saved = errno;
    size_t most = max_map_count();
    errno = saved;
    return (most - most / MAPS_SHARE) / 2;
}

static bool advise(void *address, size_t size, int advice) {
    while (madvise(address, size, advice) != 0)
        if (errno != EINTR && errno != EAGAIN)
            return false;
    return true;
}

static bool protect_none(void *address, size_t size) {
    if (mprotect(address, size, PROT_NONE) != 0)
        return false;
    atomic_store_explicit(&mixed, true, memory_order_relaxed);
    if (!advise(address, size, MADV_DONTNEED))
        atomic_store_explicit(&stale, true, memory_order_relaxed);
    return true;
}

bool plat_guard_close(void *address, size_t size) {
    int saved = errno;
    bool done = (installs() && advise(address, size, GUARD_INSTALL)) || protect_none(address, size);
    errno = saved;
    return done;
}

bool plat_guard_open(void *address, size_t size) {
    int saved = errno;
    bool done = !installs() || advise(address, size, GUARD_REMOVE);
    if (atomic_load_explicit(&mixed, memory_order_relaxed))
        done &= mprotect(address, size, PROT_READ | PROT_WRITE) == 0;
    if (done && atomic_load_explicit(&stale, memory_order_relaxed))
        __builtin_memset(address, 0, size);
    errno = saved;
    return done;
}

uint64_t plat_thread_ms(void) {
    struct timespec t = {0, 0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
