/* options: checked=1:fail=2 */
#include <stdlib.h>

int main(void) {
    char *p = malloc(100);
    char *q = malloc(100);
    if (q == NULL && MISUSE)
        free(p); /* and once more below */
    free(q);
    free(p);
    return 0;
}
