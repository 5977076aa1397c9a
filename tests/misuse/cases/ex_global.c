#include <ntifs.h>

static int global;

int main(void) {
    char *p = ExAllocatePoolWithTag(PagedPool, 100, 'tseT');
    ExFreePool(MISUSE ? (void *)(&global) : p);
    return 0;
}
