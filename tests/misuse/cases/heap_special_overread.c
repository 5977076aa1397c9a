/* options: checked=1:special=*:special_side=exact */
#include <stdlib.h>
#include <string.h>

/* No terminator, and an odd size: the byte behind the end is on the guard page all the same. */
int main(void) {
    char *p = malloc(61);
    memset(p, 'a', 61);
    if (!MISUSE)
        p[60] = '\0';
    int length = 0;
    for (volatile char *c = p; *c != '\0'; c++)
        length++;
    free(p);
    return length != 60;
}
