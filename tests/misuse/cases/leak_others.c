/* options: leaks=1 */
#include <string.h>

#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = RxAllocatePoolForOthers(PagedPool, 64, 'fBxR');
    memset(p, '.', 64);
    if (!MISUSE)
        RxFreePool(p);
    return 0;
}
