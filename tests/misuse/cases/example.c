#include <ntifs.h>
#include <ntrxdef.h>
#include <string.h>

int main(void) {
    const char *share = "\\\\server\\documents";
    char *name = RxAllocatePoolWithTag(PagedPool, strlen(share) + !MISUSE, 'nVxR');

    strcpy(name, share); /* the terminator goes one byte too far */
    RxFreePool(name);
    return 0;
}
