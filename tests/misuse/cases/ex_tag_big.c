#include <ntifs.h>

int main(void) {
    void *p = ExAllocatePoolWithTag(PagedPool, 100, MISUSE ? 'BIG ' : 'tseT');
    ExFreePool(p);
    return 0;
}
