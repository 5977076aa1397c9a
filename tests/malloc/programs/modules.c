/* Frees its own blocks, then those of another module (libc's strdup) while its own wait in the quarantine. */
#include "program.h"

int main(void) {
    char text[64];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    require_drop_in();
    for (int i = 0; i < 30000; i++)
        free(malloc(sizeof text));
    for (int i = 0; i < 3000; i++)
        free(strdup(text));
    return 0;
}
