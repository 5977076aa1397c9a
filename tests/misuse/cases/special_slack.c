/* options: special=* */
#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    p[MISUSE ? 105 : 99] = 1;
    RxFreePool(p);
    return 0;
}
