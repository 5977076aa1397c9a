#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    KIRQL old;
    KeRaiseIrql(MISUSE ? DISPATCH_LEVEL : APC_LEVEL, &old);
    RxFreePool(p);
    KeLowerIrql(old);
    return 0;
}
