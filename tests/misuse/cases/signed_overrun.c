#include <ntifs.h>
#include <ntrxdef.h>

static char buffer[1024] __attribute__((aligned(16)));

int main(void) {
    char *p = RxSignMemoryBlock(buffer, sizeof buffer, NonPagedPool, 'ngiS');
    p[sizeof buffer - RX_POOL_SIGNED_OVERHEAD - !MISUSE] = 1;
    return RxUnsignMemoryBlock(p) != buffer;
}
