#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    RxFreePool(MISUSE ? p + 16 : p);
    return 0;
}
