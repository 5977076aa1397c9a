/* The reader's working memory on Linux. */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "stats/memory.h"

void *area_map(size_t size) {
    void *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return start != MAP_FAILED ? start : NULL;
}

void area_unmap(void *start, size_t size) {
    munmap(start, size);
}
