#include <string.h>

#include <ntifs.h>
#include <ntrxdef.h>

static void *new_name(const char *text) {
    char *name = RxAllocatePoolWithTag(PagedPool, 64, 'mNxR');
    strcpy(name, text);
    return name;
}

int main(void) {
    void *earlier = new_name("allocated before the mark");
    ULONG mark = RxPoolMark();
    void *names[3] = {new_name("\\server\\share\\first"), new_name("\\server\\share\\second"),
                      new_name("\\server\\share\\third")};
    RxFreePool(names[0]);
    if (!MISUSE) {
        RxFreePool(names[1]);
        RxFreePool(names[2]);
    }
    SIZE_T leaked = RxPoolLeaksSince(mark);
    RxFreePool(earlier);
    return leaked != 2 * MISUSE;
}
