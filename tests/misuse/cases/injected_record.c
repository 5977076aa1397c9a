/* options: fail=2:fail_tag=Test:fail_record=1 */
#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = RxAllocatePoolWithTag(PagedPool, 64, MISUSE ? 'tseT' : 'rehO');
    void *q = RxAllocatePoolWithTag(PagedPool, 65, MISUSE ? 'tseT' : 'rehO');
    RxFreePool(q);
    RxFreePool(p);
    return 0;
}
