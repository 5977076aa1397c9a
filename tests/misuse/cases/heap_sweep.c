/* options: checked=1:sweep=4 */
#include <stdlib.h>

static int *kept;

int main(void) {
    kept = calloc(10, sizeof(int));
    kept[MISUSE ? 10 : 9] = 7;
    for (int i = 0; i < 1000; i++) {
        int *volatile other = malloc(50);
        free(other);
    }
    free(kept);
    return 0;
}
