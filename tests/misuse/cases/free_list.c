/* options: quarantine=0 */
#include <ntifs.h>
#include <ntrxdef.h>

/* A write in front of a freed block that the pool has back already: there it links its free blocks. */
int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    if (!MISUSE)
        p[5] = 'A';
    RxFreePool(p);
    if (MISUSE)
        p[-30] = 'A';
    for (int i = 0; i < 10; i++)
        RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    return 0;
}
