/* options: strict=args */
#include <ntifs.h>

int main(void) {
    ExFreePool(ExAllocatePoolWithTag(PagedPool, !MISUSE, 'tseT'));
    return 0;
}
