/* options: checked=1 */
#include <stdlib.h>

int main(void) {
    char *old = malloc(40);
    char *p = realloc(old, 41);
    (MISUSE ? old : p)[3] = 1;
    free(p);
    return 0;
}
