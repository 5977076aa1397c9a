#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    RxFreePool(p);
    if (MISUSE)
        ExFreePool(p);
    return 0;
}
