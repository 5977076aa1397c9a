/* options: checked=1 */
#include <stdlib.h>

static int *kept;

int main(void) {
    kept = calloc(10, sizeof(int));
    kept[MISUSE ? 10 : 9] = 7;
    return 0;
}
