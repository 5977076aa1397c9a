#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    if (MISUSE)
        RxFreePool(p);
    BOOLEAN whole = RxCheckMemoryBlock(p);
    if (!MISUSE)
        RxFreePool(p);
    return whole != !MISUSE;
}
