#include <ntifs.h>
#include <ntrxdef.h>

struct holder {
    void *name;
};

int main(void) {
    struct holder *p = RxAllocatePoolWithTag(PagedPool, sizeof *p, 'tseT');
    void *name = p->name = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    RxFreePool(p);
    RxFreePool(MISUSE ? p->name : name);
    return 0;
}
