#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    if (!MISUSE)
        p[5] = 'A';
    RxFreePool(p);
    if (MISUSE)
        p[5] = 'A';
    return 0;
}
