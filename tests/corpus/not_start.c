/* Frees of places inside a block (CWE-761). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "corpus.h"

CASE(one_byte_on) {
    char *p = malloc(100);
    free(p + bad);
    error_made();
}

CASE(sixteen_bytes_on) {
    char *p = malloc(100);
    free(p + 16 * bad);
    error_made();
}

CASE(search_moved_it) {
    char *p = strdup("a text to be searched for an S");
    char *start = p;
    while (*p != '\0' && *p != 'S')
        p++;
    use(*p);
    free(bad ? p : start);
    error_made();
}

CASE(loop_moved_it) {
    int *p = malloc(100 * sizeof *p), *start = p;
    for (int i = 0; i < 100; i++)
        *p++ = i;
    free(bad ? p : start);
    error_made();
}

CASE(member) {
    struct pair {
        long key[4];
        long value;
    } *p = malloc(sizeof *p);
    free(bad ? (void *)&p->value : (void *)p);
    error_made();
}

CASE(token) {
    char *line = strdup("   indented"), *word = line;
    while (*word == ' ')
        word++;
    free(bad ? word : line);
    error_made();
}

CASE(aligned_by_hand) {
    char *p = malloc(300);
    uintptr_t aligned = ((uintptr_t)p + 127) / 64 * 64;
    free(bad ? (void *)aligned : (void *)p);
    error_made();
}

CASE(in_front) {
    char *p = malloc(100);
    free(p - 16 * bad);
    error_made();
}

CASE(realloc_inside) {
    char *p = malloc(100);
    p = realloc(p + 32 * bad, 200);
    error_made();
    free(p);
}

CASE(large_block) {
    char *p = malloc(1 << 20);
    free(p + 4096 * bad);
    error_made();
}
