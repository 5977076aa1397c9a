/* options: special=*:special_side=under */
#include <ntifs.h>
#include <ntrxdef.h>

/* Without a header in front, the block's address is that of the pool's block. */
int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    if (MISUSE)
        ExFreePool(p);
    else
        RxFreePool(p);
    return 0;
}
