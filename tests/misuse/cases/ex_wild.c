#include <ntifs.h>

int main(void) {
    char *p = ExAllocatePoolWithTag(PagedPool, 100, 'tseT');
    ExFreePool(MISUSE ? (void *)0x1234567890 : p);
    return 0;
}
