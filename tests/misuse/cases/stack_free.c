#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    int local;
    void *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    RxFreePool(MISUSE ? &local : p);
    return 0;
}
