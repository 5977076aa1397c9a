/* options: leaks=1 */
#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = RxAllocatePoolForOthers(PagedPool, 64, 'fBxR');
    if (!MISUSE)
        RxFreePool(p);
    return 0;
}
