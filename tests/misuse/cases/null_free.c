#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    RxFreePool(MISUSE ? NULL : p);
    return 0;
}
