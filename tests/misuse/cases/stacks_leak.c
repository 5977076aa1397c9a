/* options: leaks=1:stacks=1 */
#include <ntifs.h>
#include <ntrxdef.h>

static void *make_name(unsigned bytes) {
    return RxAllocatePoolWithTag(NonPagedPool, bytes, 'mNxR');
}

static void *open_file(void) {
    return make_name(64);
}

static void *open_folder(void) {
    return make_name(300);
}

int main(void) {
    void *file = open_file(), *folder = open_folder();
    if (!MISUSE) {
        RxFreePool(file);
        RxFreePool(folder);
    }
    file = folder = NULL;
    return 0;
}
