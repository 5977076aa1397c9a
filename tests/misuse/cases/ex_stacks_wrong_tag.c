/* options: stacks=2 */
#include <ntifs.h>

static void end_name(void *name) {
    ExFreePoolWithTag(name, MISUSE ? 'rehO' : 'tseT');
}

static void close_file(void *name) {
    end_name(name);
}

int main(void) {
    close_file(ExAllocatePoolWithTag(PagedPool, 100, 'tseT'));
    return 0;
}
