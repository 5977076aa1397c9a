/* options: checked=1 */
#include <stdlib.h>
#include <sys/mman.h>

int main(void) {
    void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    free(MISUSE ? map : malloc(4096));
    return 0;
}
