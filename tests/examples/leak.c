/* A driver that forgets blocks: what its unload must say. Prints how many RxPoolUnload counted. */
#include <stdio.h>

#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    PVOID kept = RxAllocatePoolWithTag(PagedPool, 100, 'kaeL');
    PVOID large = RxAllocatePoolWithTag(NonPagedPool, 3 * PAGE_SIZE, 'kaeL');
    PVOID freed = RxAllocatePoolWithTag(PagedPool, 100, 'doog');

    if (kept == NULL || large == NULL || freed == NULL)
        return 1;
    RxFreePool(freed);
    printf("leaks: %zu\n", (size_t)RxPoolUnload());
    return 0;
}
