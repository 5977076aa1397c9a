/* options: strict=foreign */
#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = MISUSE ? ExAllocatePoolWithTag(PagedPool, 100, 'tseT')
                     : RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    RxFreePool(p);
    return 0;
}
