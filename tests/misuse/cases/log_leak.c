/* options: leaks=fatal:on_error=leak */
#include <string.h>

#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 32, 'cSxR');
    strcpy(p, "forgotten");
    if (!MISUSE)
        RxFreePool(p);
    return 0;
}
