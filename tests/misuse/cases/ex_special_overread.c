/* options: special=T*:special_side=exact */
#include <ntifs.h>

int main(void) {
    volatile char *p = ExAllocatePoolWithTag(NonPagedPoolNx, 101, 'tseT');
    char c = p[MISUSE ? 101 : 100];
    ExFreePool((void *)p);
    return c == 'x';
}
