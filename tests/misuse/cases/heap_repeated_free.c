/* options: checked=1 */
#include <stdlib.h>

int main(void) {
    char *p = malloc(40);
    free(p);
    if (MISUSE)
        free(p);
    return 0;
}
