/* options: checked=1 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The same, of a block that is too large for the quarantine. */
int main(void) {
    char *p = malloc(1000000);
    memset(p, 'a', 1000000);
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
