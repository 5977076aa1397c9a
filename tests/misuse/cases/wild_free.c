#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    RxFreePool(MISUSE ? (void *)0x1234567890 : p);
    return 0;
}
