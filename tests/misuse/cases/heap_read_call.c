/* options: checked=1 */
#include <stdlib.h>
#include <unistd.h>

/* The system is told to write in front of a block. */
int main(void) {
    char *p = malloc(40);
    int ends[2];
    if (pipe(ends) != 0 || write(ends[1], "text", 4) != 4)
        return 1;
    ssize_t n = read(ends[0], MISUSE ? p - 1 : p, 4);
    free(p);
    return n < 0;
}
