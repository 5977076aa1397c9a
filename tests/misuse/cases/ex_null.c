#include <ntifs.h>

int main(void) {
    char *p = ExAllocatePoolWithTag(PagedPool, 100, 'tseT');
    ExFreePool(MISUSE ? NULL : p);
    return 0;
}
