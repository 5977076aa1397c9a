/* options: special=* */
#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    volatile char *p = RxAllocatePoolWithTag(NonPagedPoolNx, 5000, 'tseT');
    if (!MISUSE)
        p[4999] = 1;
    RxFreePool((void *)p);
    return MISUSE && p[4999] == 1;
}
