/* options: checked=1 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bytes that nobody has written: a warning. */
int main(void) {
    char *p = malloc(40);
    int ends[2];
    if (!MISUSE)
        memset(p, 0, 40);
    if (pipe(ends) != 0)
        return 1;
    ssize_t n = write(ends[1], p, 40);
    free(p);
    return n < 0;
}
