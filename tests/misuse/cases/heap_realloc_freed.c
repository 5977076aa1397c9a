/* options: checked=1 */
#include <stdlib.h>

int main(void) {
    char *p = malloc(40);
    if (MISUSE)
        free(p);
    free(realloc(p, 80));
    return 0;
}
