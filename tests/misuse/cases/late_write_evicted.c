/* options: quarantine=64K */
#include <ntifs.h>
#include <ntrxdef.h>

/* The quarantine holds some hundreds of these: a later free makes the block leave. */
int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    if (!MISUSE)
        p[5] = 'A';
    RxFreePool(p);
    if (MISUSE)
        p[5] = 'A';
    for (int i = 0; i < 1000; i++)
        RxFreePool(RxAllocatePoolWithTag(PagedPool, 100, 'tseT'));
    return 0;
}
