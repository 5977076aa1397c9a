/* options: checked=1 */
#include <stdlib.h>

int main(void) {
    char *p = malloc(0);
    if (MISUSE)
        p[0] = 1;
    free(p);
    return 0;
}
