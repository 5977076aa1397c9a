/* options: quarantine=64K */
#include <ntifs.h>
#include <ntrxdef.h>

/* Each of the quarantine's 64 parts holds 1 KiB: a neighbour's free soon makes a block leave. */
int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    if (!MISUSE)
        p[5] = 'A';
    RxFreePool(p);
    if (MISUSE)
        p[5] = 'A';
    for (int i = 0; i < 20; i++)
        RxFreePool(RxAllocatePoolWithTag(PagedPool, 100, 'tseT'));
    return 0;
}
