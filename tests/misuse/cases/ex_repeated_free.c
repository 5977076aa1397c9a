/* options: strict=1 */
#include <ntifs.h>

int main(void) {
    void *p = ExAllocatePoolWithTag(PagedPool, 100, 'tseT');
    ExFreePool(p);
    if (MISUSE)
        ExFreePool(p);
    return 0;
}
