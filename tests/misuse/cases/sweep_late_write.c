/* options: sweep=4 */
#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    if (!MISUSE)
        p[5] = 'A';
    RxFreePool(p);
    if (MISUSE)
        p[5] = 'A';
    for (int i = 0; i < 1000; i++)
        RxFreePool(RxAllocatePoolWithTag(PagedPool, 50, 'rhtO'));
    return 0;
}
