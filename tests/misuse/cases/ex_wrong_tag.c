#include <ntifs.h>

int main(void) {
    void *p = ExAllocatePoolWithTag(PagedPool, 100, 'tseT');
    ExFreePoolWithTag(p, MISUSE ? 'rehO' : 'tseT');
    return 0;
}
