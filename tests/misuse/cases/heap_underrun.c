/* options: checked=1 */
#include <stdlib.h>

int main(void) {
    int *p = malloc(10 * sizeof(int));
    p[MISUSE ? -1 : 0] = 7;
    free(p);
    return 0;
}
