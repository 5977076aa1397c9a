/* options: special=* */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Without checked=1: guard pages alone would have the call answer EFAULT. */
int main(void) {
    char *p = malloc(40);
    memset(p, 'a', 40);
    int ends[2];
    if (pipe(ends) != 0)
        return 1;
    if (MISUSE)
        free(p);
    ssize_t n = write(ends[1], p, 40);
    if (!MISUSE)
        free(p);
    return n < 0;
}
