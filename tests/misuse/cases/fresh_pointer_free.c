#include <ntifs.h>
#include <ntrxdef.h>

struct owner {
    void *name;
};

int main(void) {
    struct owner *p = RxAllocatePoolWithTag(PagedPool, sizeof *p, 'tseT');
    if (!MISUSE)
        p->name = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    RxFreePool(p->name);
    RxFreePool(p);
    return 0;
}
