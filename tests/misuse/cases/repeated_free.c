#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    RxFreePool(p);
    if (MISUSE)
        RxFreePool(p);
    return 0;
}
