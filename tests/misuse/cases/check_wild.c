#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    BOOLEAN whole = RxCheckMemoryBlock(MISUSE ? (PVOID)(ULONG_PTR)0x1234567890 : p);
    RxFreePool(p);
    return whole != !MISUSE;
}
