/* options: leaks=1 */
#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p[3];
    for (int i = 0; i < 3; i++)
        p[i] = RxAllocatePoolWithTag(PagedPool, 64, 'cSxR');
    void *q = RxAllocatePoolWithTag(NonPagedPool, 1000, 'rNxR');
    for (int i = MISUSE; i < 3; i++)
        RxFreePool(p[i]);
    if (!MISUSE)
        RxFreePool(q);
    return 0;
}
