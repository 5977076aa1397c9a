/* options: special=* */
#include <ntifs.h>

int main(void) {
    char *p = ExAllocatePoolWithTag(PagedPool, 100, 'tseT');
    ExFreePool(p);
    if (MISUSE)
        ExFreePool(p);
    return 0;
}
