/* options: stacks=2 */
#include <ntifs.h>

/* A program that finds a fault by itself. */
static void look_at(const int *state) {
    if (*state != 0)
        KeBugCheckEx(0xDEADDEAD, 1, 2, 3, 4);
}

static void check(void) {
    int state = MISUSE;
    look_at(&state);
}

int main(void) {
    check();
    return 0;
}
