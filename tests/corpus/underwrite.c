/* Writes in front of a block (CWE-124). */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "corpus.h"

CASE(index_char) {
    char *p = malloc(100);
    p[-bad] = 'u';
    error_made();
    free(p);
}

CASE(index_int) {
    int *p = malloc(100 * sizeof *p);
    p[-5 * bad] = 5;
    error_made();
    free(p);
}

CASE(loop_down) {
    char *p = malloc(30);
    for (int i = 29; i >= -bad; i--)
        p[i] = 'd';
    error_made();
    free(p);
}

CASE(loop_from_behind) {
    char *block = malloc(100), *p = block - 8 * bad;
    for (int i = 0; i < 50; i++)
        p[i] = 'C';
    error_made();
    free(block);
}

CASE(memcpy_from_behind) {
    char from[100];
    char *block = malloc(100);
    memset(from, 'C', sizeof from);
    memcpy(block - 8 * bad, from, 100);
    error_made();
    free(block);
}

CASE(memmove_ints) {
    int from[8] = {1, 2, 3};
    int *block = malloc(sizeof from);
    memmove(block - 2 * bad, from, sizeof from);
    error_made();
    free(block);
}

CASE(memset_far) {
    char *block = malloc(64);
    memset(block - 64 * bad, 0, 64);
    error_made();
    free(block);
}

CASE(strcpy_from_behind) {
    char *block = malloc(50);
    strcpy(block - 8 * bad, "a text that begins too early");
    error_made();
    free(block);
}

CASE(strncpy_from_behind) {
    char *block = malloc(100);
    strncpy(block - 8 * bad, "padded with zeroes", 99);
    error_made();
    free(block);
}

CASE(wcscpy_from_behind) {
    wchar_t *block = malloc(50 * sizeof *block);
    wcscpy(block - 2 * bad, L"a wide text that begins too early");
    error_made();
    free(block);
}

CASE(snprintf_from_behind) {
    char *block = malloc(40);
    snprintf(block - 4 * bad, 40, "%d items", 12345);
    error_made();
    free(block);
}

/* Trailing blanks go; an empty line has none, and nobody asked. */
CASE(trim_of_nothing) {
    char *line = strdup(bad ? "" : "text \n");
    line[strlen(line) - 1] = '\0';
    error_made();
    free(line);
}

CASE(page_sized_block) {
    int64_t *p = calloc(512, sizeof *p);
    p[-bad] = 7;
    error_made();
    free(p);
}

CASE(large_block) {
    int64_t *p = malloc(1 << 20);
    p[-4 * bad] = 7;
    error_made();
    free(p);
}
