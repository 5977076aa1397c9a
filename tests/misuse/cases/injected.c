/* options: fail=2 */
#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    void *q = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    if (q == NULL && MISUSE)
        RxFreePool(p); /* and once more below */
    if (q != NULL)
        RxFreePool(q);
    RxFreePool(p);
    return 0;
}
