#include <ntifs.h>
#include <ntrxdef.h>

struct holder {
    void *name;
};

int main(void) {
    struct holder *p = RxAllocatePoolWithTag(PagedPool, sizeof *p, 'tseT');
    if (!MISUSE)
        p->name = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    RxFreePool(p->name);
    RxFreePool(p);
    return 0;
}
