#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(NonPagedPool, PAGE_SIZE, 'tseT');
    p[MISUSE ? -1000 : 0] = 1;
    RxFreePool(p);
    return 0;
}
