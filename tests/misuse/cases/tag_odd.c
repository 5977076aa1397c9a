#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    ULONG tag = MISUSE ? 0x01736554 : 'tseT';
    for (int i = 0; i < 3; i++) /* told once */
        RxFreePool(RxAllocatePoolWithTag(PagedPool, 10, tag));
    return 0;
}
