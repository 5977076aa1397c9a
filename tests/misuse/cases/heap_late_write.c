/* options: checked=1 */
#include <stdlib.h>

int main(void) {
    char *p = malloc(40);
    p[8] = 1;
    free(p);
    if (MISUSE)
        p[8] = 2;
    return 0;
}
