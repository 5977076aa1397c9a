/* options: special=*:special_side=under */
#include <ntifs.h>

int main(void) {
    volatile char *p = ExAllocatePoolWithTag(NonPagedPoolNx, 100, 'tseT');
    char c = p[MISUSE ? -1 : 0];
    ExFreePool((void *)p);
    return c == 'x';
}
