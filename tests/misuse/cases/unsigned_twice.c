#include <ntifs.h>
#include <ntrxdef.h>

static char twice[1024] __attribute__((aligned(16)));

int main(void) {
    void *p = RxSignMemoryBlock(twice, sizeof twice, NonPagedPool, 'ngiS');
    RxUnsignMemoryBlock(p);
    if (MISUSE)
        RxUnsignMemoryBlock(p);
    return 0;
}
