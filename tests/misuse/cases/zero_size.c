#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    RxFreePool(RxAllocatePoolWithTag(PagedPool, !MISUSE, 'tseT'));
    return 0;
}
