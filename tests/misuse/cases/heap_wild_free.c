/* options: checked=1 */
#include <stdlib.h>

int main(void) {
    free(MISUSE ? (void *)0x123456789AB0 : malloc(10));
    return 0;
}
