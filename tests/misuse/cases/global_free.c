#include <ntifs.h>
#include <ntrxdef.h>

static char global[100];

int main(void) {
    RxFreePool(MISUSE ? global : RxAllocatePoolWithTag(PagedPool, 100, 'tseT'));
    return 0;
}
