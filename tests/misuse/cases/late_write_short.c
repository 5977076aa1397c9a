/* options: limit=64M */
#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(NonPagedPool, 100, 'tseT');
    RxFreePool(p);
    if (MISUSE)
        p[50] = 1;
    return RxAllocatePoolWithTag(NonPagedPool, 100 << 20, 'tseT') != NULL;
}
