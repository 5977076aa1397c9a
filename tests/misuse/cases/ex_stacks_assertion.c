/* options: stacks=2 */
#define DBG 1
#include <ntifs.h>

static void look_at(const int *state) {
    ASSERT(*state == 0);
}

static void check(void) {
    int state = MISUSE;
    look_at(&state);
}

int main(void) {
    check();
    return 0;
}
