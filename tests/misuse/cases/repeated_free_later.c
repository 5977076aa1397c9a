/* options: quarantine=0 */
#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    RxFreePool(p);
    p = MISUSE ? p : RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    RxFreePool(p);
    return 0;
}
