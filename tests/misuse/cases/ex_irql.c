#include <ntifs.h>

int main(void) {
    void *p = ExAllocatePoolWithTag(PagedPool, 100, 'tseT');
    KIRQL old;
    KeRaiseIrql(MISUSE ? DISPATCH_LEVEL : APC_LEVEL, &old);
    ExFreePool(p);
    KeLowerIrql(old);
    return 0;
}
