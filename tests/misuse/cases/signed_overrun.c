#include <ntifs.h>
#include <ntrxdef.h>

static char memory[1024] __attribute__((aligned(16)));

int main(void) {
    char *p = RxSignMemoryBlock(memory, sizeof memory, NonPagedPool, 'ngiS');
    p[sizeof memory - RX_POOL_SIGNED_OVERHEAD - !MISUSE] = 1;
    return RxUnsignMemoryBlock(p) != memory;
}
