/* options: checked=1:quarantine=0 */
#include <stdlib.h>

static void *kept[10];

int main(void) {
    char *volatile p = malloc(100);
    if (!MISUSE)
        p[5] = 'A';
    free(p);
    if (MISUSE)
        p[-30] = 'A';
    for (int i = 0; i < 10; i++)
        kept[i] = malloc(100);
    return 0;
}
