/* options: fail=2:leaks=1 */
#include <ntifs.h>
#include <ntrxdef.h>

static void *make_pair(void **second) {
    void *first = RxAllocatePoolWithTag(PagedPool, 64, 'tseT');
    *second = RxAllocatePoolWithTag(PagedPool, 64, 'tseT');
    if (*second != NULL)
        return first;
    if (!MISUSE)
        RxFreePool(first);
    return NULL;
}

int main(void) {
    void *second, *first = make_pair(&second);
    if (first != NULL) {
        RxFreePool(first);
        RxFreePool(second);
    }
    return 0;
}
