#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    SIZE_T size = MISUSE ? (SIZE_T)1 << 32 : 1 << 12;
    void *p = RxAllocatePoolWithTag(PagedPool, size, 'tseT');
    if (p != NULL)
        RxFreePool(p);
    return MISUSE ? p != NULL : p == NULL;
}
