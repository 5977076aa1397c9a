/* options: checked=1 */
#include <stdlib.h>

int main(void) {
    char *p = malloc(100);
    p[MISUSE ? 100 : 99] = 1;
    free(p);
    return 0;
}
