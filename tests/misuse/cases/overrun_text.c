#include <ntifs.h>
#include <ntrxdef.h>
#include <string.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 16, 'tseT');
    strcpy(p, MISUSE ? "\\Device\\RdpDr\\srv" : "\\Device\\RdpDr");
    RxFreePool(p);
    return 0;
}
