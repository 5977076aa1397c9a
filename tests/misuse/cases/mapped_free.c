#include <ntifs.h>
#include <ntrxdef.h>
#include <sys/mman.h>

int main(void) {
    char *volatile map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    RxFreePool(MISUSE ? map + 32 : RxAllocatePoolWithTag(PagedPool, 100, 'tseT'));
    return 0;
}
