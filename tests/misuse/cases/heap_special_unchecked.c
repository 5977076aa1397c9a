/* options: special=* */
#include <stdlib.h>

/* Without checked=1: the sites are the routine's callers. */
int main(void) {
    volatile char *p = malloc(100);
    if (!MISUSE)
        p[7] = 1;
    free((void *)p);
    if (MISUSE)
        p[7] = 1;
    return 0;
}
