/* options: special=Tes?:special_side=under */
#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    volatile char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    char c = p[MISUSE ? -4 : 0];
    if (!RxCheckMemoryBlock((void *)p))
        return 1;
    RxFreePool((void *)p);
    return c == 'x';
}
