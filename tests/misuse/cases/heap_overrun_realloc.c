/* options: checked=1 */
#include <stdlib.h>

int main(void) {
    char *p = realloc(malloc(100), 50);
    p[MISUSE ? 50 : 49] = 1;
    p = realloc(p, 60);
    free(p);
    return 0;
}
