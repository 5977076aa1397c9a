/* options: checked=1 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More bytes than the block has, given to the system. */
int main(void) {
    char *p = malloc(40);
    memset(p, 'a', 40);
    int ends[2];
    if (pipe(ends) != 0)
        return 1;
    ssize_t n = write(ends[1], p, MISUSE ? 80 : 40);
    free(p);
    return n < 0;
}
