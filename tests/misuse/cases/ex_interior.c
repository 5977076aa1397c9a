#include <ntifs.h>

int main(void) {
    char *p = ExAllocatePoolWithTag(PagedPool, 100, 'tseT');
    ExFreePool(MISUSE ? (void *)(p + 16) : p);
    return 0;
}
