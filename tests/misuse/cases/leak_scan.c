#include <string.h>

#include <ntifs.h>
#include <ntrxdef.h>

static char *name;

static void set_name(const char *text) {
    if (!MISUSE && name != NULL)
        RxFreePool(name);
    name = RxAllocatePoolWithTag(PagedPool, 32, 'mNxR');
    strcpy(name, text);
}

int main(void) {
    set_name("the first is forgotten");
    set_name("the second is still held");
    return RxPoolScan() != MISUSE;
}
