/* options: sweep=4:on_error=log */
#include <ntifs.h>
#include <ntrxdef.h>

/* Reported by the sweep once, however often it comes by, and by the free. */
int main(void) {
    char *kept = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    kept[MISUSE ? 100 : 99] = 1;
    for (int i = 0; i < 1000; i++)
        RxFreePool(RxAllocatePoolWithTag(PagedPool, 50, 'rhtO'));
    RxFreePool(kept);
    return 0;
}
