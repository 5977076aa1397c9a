/* options: checked=1 */
#include <stdlib.h>

static int *never_freed;

int main(void) {
    never_freed = calloc(10, sizeof(int));
    never_freed[MISUSE ? 10 : 9] = 7;
    return 0;
}
