#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    RxFreePool(RxAllocatePoolWithTag(NonPagedPool, 100, MISUSE ? 0 : 'tseT'));
    return 0;
}
