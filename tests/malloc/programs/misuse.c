/* One misuse of the malloc family, by name: each must end in the documented stop. */
#include "program.h"

static int global;

int main(int count, char **word) {
    int local = 0;
    require_drop_in();
    require(count == 2);
    char *volatile block = malloc(1000);
    require(block != NULL);
    void *volatile bad = NULL;
    if (strcmp(word[1], "free-stack") == 0)
        free(bad = &local);
    else if (strcmp(word[1], "free-global") == 0)
        free(bad = &global);
    else if (strcmp(word[1], "free-wild") == 0)
        free(bad = (void *)0x123456789AB0);
    else if (strcmp(word[1], "free-interior") == 0)
        free(bad = block + 16);
    else if (strcmp(word[1], "realloc-stack") == 0)
        bad = realloc(bad = &local, 10);
    else if (strcmp(word[1], "delete-interior") == 0)
        ((void (*)(void *))dlsym(RTLD_DEFAULT, "_ZdlPv"))(block + 16);
    else
        fprintf(stderr, "no such misuse: %s\n", word[1]);
    printf("went on\n");
    return 0;
}
