/* options: on_error=overrun,tag */
#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    char *q = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    p[MISUSE ? 100 : 99] = 1;
    RxFreePool(p);
    RxFreePool(q);
    if (MISUSE)
        RxFreePool(q);
    return 0;
}
