/* options: on_error=log:quarantine=64K */
#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    RxFreePool(p);
    if (MISUSE)
        p[5] = 'A';
    for (int i = 0; i < 10000; i++) {
        char *other = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
        if (MISUSE && other == p)
            return 1;
        RxFreePool(other);
    }
    return 0;
}
