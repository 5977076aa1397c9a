/* options: checked=1 */
#include <stdlib.h>

void _ZdlPv(void *); /* operator delete(void *) */

int main(void) {
    void *p = malloc(40);
    if (MISUSE)
        _ZdlPv(p);
    else
        free(p);
    return 0;
}
