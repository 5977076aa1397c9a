#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    unsigned char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    if (MISUSE)
        *((ULONG *)p - 1) = 0;
    RxFreePool(p);
    return 0;
}
