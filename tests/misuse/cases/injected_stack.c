/* options: fail=new-stack:fail_size=200-300 */
#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    char *q = RxAllocatePoolWithTag(PagedPool, 200, 'tseT');
    char *r = RxAllocatePoolWithTag(PagedPool, 300, 'tseT');
    if (q == NULL && r == NULL)
        p[MISUSE ? 100 : 99] = 1;
    RxFreePool(p);
    return 0;
}
