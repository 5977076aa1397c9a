/* options: checked=1 */
#include <stdlib.h>

int main(void) {
    char *p = malloc(40);
    char *moved = realloc(p, 10);
    free(MISUSE ? p : moved);
    return 0;
}
