#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    if (MISUSE)
        ExFreePool(p);
    else
        RxFreePool(p);
    return 0;
}
