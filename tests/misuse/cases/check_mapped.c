#include <ntifs.h>
#include <ntrxdef.h>
#include <sys/mman.h>

/* The memory of a signed block goes away without RxUnsignMemoryBlock. */
int main(void) {
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *p = RxSignMemoryBlock(map, 4096, NonPagedPool, 'ngiS');
    if (MISUSE)
        munmap(map, 4096);
    BOOLEAN whole = RxCheckMemoryBlock(p);
    if (!MISUSE)
        RxUnsignMemoryBlock(p);
    return whole == MISUSE;
}
