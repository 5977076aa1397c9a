#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    RxFreePoolWithTag(p, MISUSE ? 'rehO' : 'tseT');
    return 0;
}
