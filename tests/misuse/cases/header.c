#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    p[MISUSE ? -32 : 0] = 1;
    RxFreePool(p);
    return 0;
}
