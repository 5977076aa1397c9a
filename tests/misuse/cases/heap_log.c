/* options: checked=1:on_error=log */
#include <stdlib.h>

int main(void) {
    char *p = malloc(40);
    free(p);
    if (MISUSE) {
        free(p);
        p[0] = 1;
    }
    return 0;
}
