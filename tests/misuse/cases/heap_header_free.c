/* options: checked=1 */
#include <stdlib.h>

int main(void) {
    char *p = malloc(40);
    free(MISUSE ? p - 16 : p);
    return 0;
}
