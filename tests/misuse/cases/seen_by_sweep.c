/* options: sweep=4 */
#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *kept = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    for (int i = 0; i < 1000; i++)
        RxFreePool(RxAllocatePoolWithTag(PagedPool, 50, 'rhtO'));
    kept[MISUSE ? 100 : 99] = 1;
    RxFreePool(kept);
    return 0;
}
