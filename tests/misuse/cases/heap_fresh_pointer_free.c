/* options: checked=1 */
#include <stdlib.h>

struct item {
    char *name;
};

int main(void) {
    struct item *item = MISUSE ? malloc(sizeof *item) : calloc(1, sizeof *item);
    free(item->name);
    free(item);
    return 0;
}
