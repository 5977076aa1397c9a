/* options: checked=1 */
#include <stdlib.h>

void *_Znwm(size_t); /* operator new(std::size_t) */
void _ZdlPv(void *); /* operator delete(void *) */

int main(void) {
    void *p = _Znwm(40);
    if (MISUSE)
        free(p);
    else
        _ZdlPv(p);
    return 0;
}
