#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = RxAllocatePoolWithTag(MISUSE ? NonPagedPoolMustSucceed : NonPagedPool, 100, 'tseT');
    RxFreePool(p);
    return 0;
}
