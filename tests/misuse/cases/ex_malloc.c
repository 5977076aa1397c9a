#include <ntifs.h>
#include <stdlib.h>

int main(void) {
    void *p = malloc(100);
    if (MISUSE)
        ExFreePool(p);
    free(p);
    return 0;
}
