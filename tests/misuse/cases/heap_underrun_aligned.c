/* options: checked=1 */
#include <stdlib.h>

int main(void) {
    char *p = aligned_alloc(256, 512);
    p[MISUSE ? -100 : 0] = 7;
    free(p);
    return 0;
}
