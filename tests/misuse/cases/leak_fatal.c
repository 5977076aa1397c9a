/* options: leaks=fatal */
#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = RxAllocatePoolWithTag(PagedPool, 64, 'cSxR');
    if (!MISUSE)
        RxFreePool(p);
    return 0;
}
