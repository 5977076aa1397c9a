#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    RxFreePool(RxAllocatePoolWithTag(PagedPool, 100, MISUSE ? 'BIG ' : 'GIB '));
    return 0;
}
