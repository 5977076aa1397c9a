#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    if (!RxCheckMemoryBlock(p))
        return 1;
    p[MISUSE ? 100 : 99] = 1;
    RxFreePool(p);
    return 0;
}
