#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = ExAllocatePoolWithTag(PagedPool, 100, 'tseT');
    RxFreePool(p + (MISUSE ? 16 : 0));
    return 0;
}
