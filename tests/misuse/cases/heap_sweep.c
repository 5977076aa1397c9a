/* options: checked=1:sweep=4 */
#include <stdlib.h>

static int *swept;

int main(void) {
    swept = calloc(10, sizeof(int));
    swept[MISUSE ? 10 : 9] = 7;
    for (int i = 0; i < 1000; i++) {
        int *volatile other = malloc(50);
        free(other);
    }
    free(swept);
    return 0;
}
