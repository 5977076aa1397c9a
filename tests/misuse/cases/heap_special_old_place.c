/* options: checked=1:special=* */
#include <stdlib.h>

/* The place that realloc left. */
int main(void) {
    volatile char *p = calloc(1, 100);
    volatile char *q = realloc((void *)p, 200);
    char c = MISUSE ? p[50] : q[50];
    free((void *)q);
    return c == 'x';
}
