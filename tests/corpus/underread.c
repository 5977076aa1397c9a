/* Reads in front of a block (CWE-127). */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "corpus.h"

static char *text(size_t bytes) {
    char *p = malloc(bytes);
    memset(p, 'A', bytes - 1);
    p[bytes - 1] = '\0';
    return p;
}

CASE(index_char) {
    char *p = text(100);
    use(p[-bad]);
    error_made();
    free(p);
}

CASE(index_int) {
    int *p = calloc(100, sizeof *p);
    use(p[-3 * bad]);
    error_made();
    free(p);
}

CASE(loop_from_behind) {
    char *block = text(100), *p = block - 8 * bad;
    for (int i = 0; i < 90; i++)
        use(p[i]);
    error_made();
    free(block);
}

CASE(memcpy_from_behind) {
    char to[100];
    char *block = text(100);
    memcpy(to, block - 8 * bad, 100);
    error_made();
    use(to[0]);
    free(block);
}

CASE(memmove_from_behind) {
    wchar_t to[100];
    wchar_t *block = calloc(100, sizeof *block);
    memmove(to, block - 8 * bad, sizeof to);
    error_made();
    use(to[0]);
    free(block);
}

CASE(strcpy_from_behind) {
    char to[400];
    char *block = text(100);
    strcpy(to, block - bad);
    error_made();
    use(to[0]);
    free(block);
}

CASE(strncpy_from_behind) {
    char to[100];
    char *block = text(100);
    strncpy(to, block - 8 * bad, 99);
    error_made();
    use(to[0]);
    free(block);
}

CASE(wmemcpy_from_behind) {
    wchar_t to[40];
    wchar_t *block = calloc(100, sizeof *block);
    wmemcpy(to, block - 4 * bad, 40);
    error_made();
    use(to[0]);
    free(block);
}

CASE(write_call) {
    char *block = text(100);
    int to = sink();
    use(write(to, block - 16 * bad, 50));
    close(to);
    error_made();
    free(block);
}

CASE(trim_of_nothing) {
    char *line = strdup(bad ? "" : "text\n");
    use(line[strlen(line) - 1] == '\n');
    error_made();
    free(line);
}

/* Looks for a byte that is not there, with nothing to stop it. */
CASE(search_backwards) {
    char *p = text(60), *at = p + 58;
    if (!bad)
        p[3] = '/';
    while (*at == 'A')
        at--;
    use(at - p);
    error_made();
    free(p);
}

CASE(page_sized_block) {
    int64_t *p = calloc(512, sizeof *p);
    use(p[-bad]);
    error_made();
    free(p);
}
