#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = RxAllocatePoolWithTag(MISUSE ? PagedPool : NonPagedPool, 100, 'tseT');
    KIRQL old;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    BOOLEAN whole = RxCheckMemoryBlock(p);
    KeLowerIrql(old);
    RxFreePool(p);
    return !whole;
}
