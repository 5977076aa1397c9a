/* options: checked=1:stacks=1 */
#include <stdlib.h>

static int *make_node(void) {
    return malloc(24);
}

static void end_node(int *node) {
    free(node);
}

int main(void) {
    int *node = make_node();
    end_node(node);
    if (MISUSE)
        node[2] = 7;
    return 0;
}
