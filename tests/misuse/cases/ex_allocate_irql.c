#include <ntifs.h>

int main(void) {
    KIRQL old;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    void *p = ExAllocatePoolWithTag(MISUSE ? PagedPool : NonPagedPool, 100, 'tseT');
    KeLowerIrql(old);
    ExFreePool(p);
    return 0;
}
