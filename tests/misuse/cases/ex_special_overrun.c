/* options: special=Test */
#include <ntifs.h>

/* The first byte that the guard page has: 100 bytes end 12 before it. */
int main(void) {
    char *p = ExAllocatePoolWithTag(PagedPool, 100, 'tseT');
    p[MISUSE ? 112 : 99] = 1;
    ExFreePool(p);
    return 0;
}
