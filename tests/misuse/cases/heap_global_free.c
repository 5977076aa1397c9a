/* options: checked=1 */
#include <stdlib.h>

static char global[64];

int main(void) {
    char *p = MISUSE ? global : malloc(64);
    free(p);
    return 0;
}
