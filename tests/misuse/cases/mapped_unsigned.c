#include <sys/mman.h>

#include <ntifs.h>
#include <ntrxdef.h>

/* The memory that was signed has gone. */
int main(void) {
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *p = RxSignMemoryBlock(memory, 4096, NonPagedPool, 'ngSx');
    if (MISUSE)
        munmap(memory, 4096);
    RxUnsignMemoryBlock(p);
    if (!MISUSE)
        munmap(memory, 4096);
    return 0;
}
