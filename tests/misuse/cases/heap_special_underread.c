/* options: checked=1:special=*:special_side=under */
#include <stdlib.h>

int main(void) {
    volatile char *p = calloc(1, 100);
    char c = p[MISUSE ? -1 : 0];
    free((void *)p);
    return c == 'x';
}
