#include <stdlib.h>

#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = MISUSE ? malloc(100) : RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    RxFreePool(p);
    return 0;
}
