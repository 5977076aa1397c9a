/* options: checked=1:quarantine=0 */
#include <stdlib.h>

/* Where the memory of a freed block begins: the pool's, which has it back, but no block of anybody. */
int main(void) {
    char *volatile p = malloc(100);
    free(p);
    free(MISUSE ? p - 32 : malloc(100));
    return 0;
}
