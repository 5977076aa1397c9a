/* options: special=*:special_side=exact */
#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    p[MISUSE ? 100 : 99] = 1;
    RxFreePool(p);
    return 0;
}
