/* options: quarantine=0 */
#include <ntifs.h>
#include <ntrxdef.h>
#include <string.h>

/* The same, and what is written leads the pool back to a block that is in use. */
int main(void) {
    char *used = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    char *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    char *memory = used - sizeof(RX_POOL_HEADER);
    RxFreePool(p);
    if (MISUSE)
        memcpy(p - sizeof(RX_POOL_HEADER), &memory, sizeof memory);
    RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    return 0;
}
