/* options: special=128 */
#include <ntifs.h>

/* special=128 is the blocks of 97 to 112 bytes. */
int main(void) {
    volatile char *p = ExAllocatePoolWithTag(PagedPool, 100, 'tseT');
    if (!MISUSE)
        p[7] = 1;
    ExFreePool((void *)p);
    return MISUSE && p[7] == 1;
}
