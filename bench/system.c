/* The clocks and the memory of this process, and memory that the allocator under test does not see. */
#define _GNU_SOURCE
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ns(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct clocks clocks_now(void) {
    return (struct clocks){clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_PROCESS_CPUTIME_ID)};
}

struct clocks thread_clocks_now(void) {
    return (struct clocks){clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_THREAD_CPUTIME_ID)};
}

void clocks_stop(struct clocks begin, struct figures *f) {
    struct clocks end = clocks_now();
    f->wall_ns = end.wall_ns - begin.wall_ns;
    f->cpu_ns = end.cpu_ns - begin.cpu_ns;
}

void give_up(const char *why) {
    fprintf(stderr, "bench: %s\n", why);
    exit(1);
}

void *own_memory(size_t size) {
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) {
        give_up("no memory for the bench itself");
    }
    return memory;
}

void own_memory_return(void *memory, size_t size) {
    munmap(memory, size);
}

/* The number behind `key` in a file of /proc/self. No stdio: that would call the allocator under test. */
static long number_in(const char *path, const char *key) {
    static char text[8192];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return -1;
    }
    size_t length = 0;
    ssize_t got;
    while (length < sizeof(text) - 1 &&
           (got = read(file, text + length, sizeof(text) - 1 - length)) > 0) {
        length += (size_t)got;
    }
    close(file);
    text[length] = '\0';
    const char *at = strstr(text, key);
    return at == NULL ? -1 : strtol(at + strlen(key), NULL, 10);
}

/* smaps_rollup walks the page tables; the counters behind VmRSS may lag by some hundred pages. */
long resident_kib(void) {
    long kib = number_in("/proc/self/smaps_rollup", "\nRss:");
    return kib >= 0 ? kib : number_in("/proc/self/status", "\nVmRSS:");
}

long private_kib(void) {
    return number_in("/proc/self/smaps_rollup", "\nPrivate_Dirty:");
}

long peak_kib(void) {
    long high = number_in("/proc/self/status", "\nVmHWM:");
    long now = resident_kib();
    return high > now ? high : now;
}

void rest_ms(unsigned long milliseconds) {
    struct timespec t = {(time_t)(milliseconds / 1000), (long)(milliseconds % 1000) * 1000000};
    nanosleep(&t, NULL);
}
