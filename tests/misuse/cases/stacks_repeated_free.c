/* options: stacks=2 */
#include <ntifs.h>
#include <ntrxdef.h>

static char *make_name(void) {
    return RxAllocatePoolWithTag(PagedPool, 40, 'mNxR');
}

static char *open_file(void) {
    return make_name();
}

static void end_name(char *name) {
    RxFreePool(name);
}

static void close_file(char *name) {
    end_name(name);
}

int main(void) {
    char *name = open_file();
    close_file(name);
    if (MISUSE)
        close_file(name);
    return 0;
}
