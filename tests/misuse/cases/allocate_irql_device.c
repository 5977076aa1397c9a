#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    KIRQL old;
    KeRaiseIrql(MISUSE ? 5 : DISPATCH_LEVEL, &old);
    void *p = RxAllocatePoolWithTag(NonPagedPool, 100, 'tseT');
    KeLowerIrql(old);
    RxFreePool(p);
    return 0;
}
