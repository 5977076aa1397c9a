/* Runs the case that the program's name tells: misuse_NAME_1, or misuse_NAME_0, its correct twin. */
#include <stdio.h>
#include <string.h>

#define CASE(name, options)                                                                        \
    int name##_0(void);                                                                            \
    int name##_1(void);
#include "cases.h"
#undef CASE

static const struct {
    const char *name;
    int (*run)(void);
} cases[] = {
#define CASE(name, options) {#name "_0", name##_0}, {#name "_1", name##_1},
#include "cases.h"
#undef CASE
};

int main(int argc, char **argv) {
    static const char prefix[] = "misuse_";
    const char *name = argc > 0 ? argv[0] : "";

    for (const char *p = name; *p != '\0'; p++)
        if (*p == '/' || *p == '\\')
            name = p + 1;
    if (strncmp(name, prefix, sizeof prefix - 1) == 0)
        name += sizeof prefix - 1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length = strlen(cases[i].name);
        if (strncmp(name, cases[i].name, length) == 0 &&
            (name[length] == '\0' || name[length] == '.'))
            return cases[i].run();
    }
    fprintf(stderr, "no case of the name %s\n", name);
    return 127;
}
