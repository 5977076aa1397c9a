/* options: checked=1:stacks=2 */
#include <stdlib.h>
#include <string.h>

static char *make_name(void) {
    return strdup("name");
}

static char *open_file(void) {
    return make_name();
}

static void end_name(char *name) {
    free(name);
}

static void close_file(char *name) {
    end_name(name);
}

int main(void) {
    char *name = open_file();
    close_file(name);
    if (MISUSE)
        close_file(name);
    return 0;
}
