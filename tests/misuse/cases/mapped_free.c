#include <ntifs.h>
#include <ntrxdef.h>
#include <sys/mman.h>

int main(void) {
    char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    RxFreePool(p != MAP_FAILED && MISUSE ? p + 32 : RxAllocatePoolWithTag(PagedPool, 100, 'tseT'));
    return 0;
}
