/* options: special=* */
#include <ntifs.h>

int main(void) {
    volatile char *p = ExAllocatePoolWithTag(PagedPool, 5000, 'tseT');
    if (!MISUSE)
        p[4999] = 1;
    ExFreePool((void *)p);
    if (MISUSE)
        p[4999] = 1;
    return 0;
}
