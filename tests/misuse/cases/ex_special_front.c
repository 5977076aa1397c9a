/* options: special=* */
#include <ntifs.h>

int main(void) {
    char *p = ExAllocatePoolWithTag(NonPagedPoolNx, 64, 'tseT');
    p[MISUSE ? -1 : 0] = 0;
    ExFreePoolWithTag(p, 'tseT');
    return 0;
}
