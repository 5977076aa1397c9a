/* options: checked=1 */
#include <stdlib.h>

int main(void) {
    char *p = malloc(40);
    free(realloc(MISUSE ? p + 8 : p, 80));
    return 0;
}
