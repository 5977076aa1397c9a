/* options: special=* */
#include <ntifs.h>

/* Between the end and the guard page, where 16-byte alignment leaves room. */
int main(void) {
    char *p = ExAllocatePoolWithTag(PagedPool, 100, 'tseT');
    p[MISUSE ? 100 : 99] = 0;
    ExFreePool(p);
    return 0;
}
