#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(NonPagedPool, 2 * PAGE_SIZE, 'tseT');
    p[2 * PAGE_SIZE - !MISUSE] = 1;
    RxFreePool(p);
    return 0;
}
