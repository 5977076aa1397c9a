/* options: special=*:on_error=log */
#include <ntifs.h>

/* Told to go on, the program gets its accesses; the page is guarded again for the next block. */
int main(void) {
    volatile char *p = ExAllocatePoolWithTag(PagedPool, 64, 'tseT');
    volatile char *q;
    if (MISUSE)
        p[64] = 1;
    ExFreePool((void *)p);
    if (MISUSE && p[0] != 0)
        return 1;
    q = ExAllocatePoolWithTag(PagedPool, 64, 'tseT');
    if (MISUSE)
        q[64] = 1;
    ExFreePool((void *)q);
    return 0;
}
