/* options: checked=1 */
#include <stdlib.h>

int main(void) {
    char local[64];
    char *p = MISUSE ? local : malloc(64);
    free(p);
    return 0;
}
