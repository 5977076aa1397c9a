#include <ntifs.h>

int main(void) {
    int local;
    char *p = ExAllocatePoolWithTag(PagedPool, 100, 'tseT');
    ExFreePool(MISUSE ? (void *)(&local) : p);
    return 0;
}
