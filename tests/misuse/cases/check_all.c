#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    char byte = p[100];
    p[MISUSE ? 100 : 99] = 1;
    SIZE_T damaged = RxCheckAllMemoryBlocks();
    p[100] = byte;
    RxFreePool(p);
    return damaged != MISUSE;
}
