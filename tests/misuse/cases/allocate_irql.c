#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    KIRQL old;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    void *p = RxAllocatePoolWithTag(MISUSE ? PagedPool : NonPagedPool, 100, 'tseT');
    RxFreePool(p);
    KeLowerIrql(old);
    return 0;
}
