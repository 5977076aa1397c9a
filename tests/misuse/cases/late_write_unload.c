#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(NonPagedPool, 100, 'tseT');
    RxFreePool(p);
    if (MISUSE)
        p[0] = 1;
    return RxPoolUnload() != 0;
}
