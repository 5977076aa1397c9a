#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    if (MISUSE)
        ExFreePoolWithTag(p, 'tseT');
    RxFreePoolWithTag(p, 'tseT');
    return 0;
}
