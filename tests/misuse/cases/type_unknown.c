#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = RxAllocatePoolWithTag(MISUSE ? 0x5000 : PagedPool, 100, 'tseT');
    RxFreePool(p);
    return 0;
}
