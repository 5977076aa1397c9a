#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    BOOLEAN whole = RxCheckMemoryBlock(p + (MISUSE ? 8 : 0));
    RxFreePool(p);
    return whole != !MISUSE;
}
