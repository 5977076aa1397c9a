#include <ntifs.h>
#include <ntrxdef.h>

static char memory[1024] __attribute__((aligned(16)));

int main(void) {
    void *p = RxSignMemoryBlock(memory, sizeof memory, NonPagedPool, 'ngiS');
    if (MISUSE)
        RxFreePool(p);
    return RxUnsignMemoryBlock(p) != memory;
}
