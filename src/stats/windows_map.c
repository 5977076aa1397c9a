/* The reader's working memory on Windows. */
#include <windows.h>

#include "stats/memory.h"

void *area_map(size_t size) {
    return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

void area_unmap(void *start, size_t size) {
    (void)size;
    VirtualFree(start, 0, MEM_RELEASE);
}
