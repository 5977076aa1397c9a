/* options: checked=1 */
#include <stddef.h>

void *_Znam(size_t); /* operator new[](std::size_t) */
void _ZdlPv(void *); /* operator delete(void *) */
void _ZdaPv(void *); /* operator delete[](void *) */

int main(void) {
    void *p = _Znam(40);
    if (MISUSE)
        _ZdlPv(p);
    else
        _ZdaPv(p);
    return 0;
}
