#include <ntifs.h>

int main(void) {
    void *p = ExAllocatePoolWithTag(PagedPool, 100, MISUSE ? 0 : 'tseT');
    ExFreePool(p);
    return 0;
}
