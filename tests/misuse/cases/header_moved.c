#include <ntifs.h>
#include <ntrxdef.h>

/* A cache line's alignment moves the header; the tag stands at the beginning of the memory too. */
int main(void) {
    char *p = RxAllocatePoolWithTag(NonPagedPoolCacheAligned, 100, 'tseT');
    if (MISUSE)
        p[-64] = 0;
    RxFreePool(p);
    return 0;
}
