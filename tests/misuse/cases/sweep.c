/* options: sweep=4 */
#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *kept = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    kept[MISUSE ? 100 : 99] = 1;
    for (int i = 0; i < 1000; i++)
        RxFreePool(RxAllocatePoolWithTag(PagedPool, 50, 'rhtO'));
    return 0;
}
