/* options: on_error=log:quarantine=0 */
#include <ntifs.h>
#include <ntrxdef.h>

/* The damaged block is set aside: its place is never handed out again. */
int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    p[MISUSE ? 100 : 99] = 1;
    RxFreePool(p);
    for (int i = 0; i < 10000; i++) {
        char *other = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
        if (MISUSE && other == p)
            return 1;
        RxFreePool(other);
    }
    return 0;
}
