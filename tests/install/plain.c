/* A user-mode program as the README shows it; compiled by nothing but what pkg-config or CMake says. */
#include <ntifs.h>
#include <ntrxdef.h>
#include <stdio.h>
#include <string.h>

int main(void) {
    char *name = RxAllocatePoolWithTag(PagedPool, 100, 'nVxR');
    if (name == NULL) {
        return 1;
    }
    memset(name, 'x', 100);
    void *zeroed = ExAllocatePool2(POOL_FLAG_NON_PAGED, 5000, 'fNxR');
    static const char zeros[5000];
    if (zeroed == NULL || memcmp(zeroed, zeros, sizeof(zeros)) != 0) {
        return 2;
    }
    if (((ULONG_PTR)zeroed & (PAGE_SIZE - 1)) != 0) {
        return 3;
    }
    RxFreePool(name);
    ExFreePoolWithTag(zeroed, 'fNxR');
    puts("plain: ok");
    return 0;
}
