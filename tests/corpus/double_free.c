/* Frees of what is free already (CWE-415). */
#include <stdlib.h>
#include <string.h>

#include "corpus.h"

CASE(at_once) {
    char *p = malloc(100);
    free(p);
    if (bad)
        free(p);
    error_made();
}

CASE(other_block_between) {
    char *a = malloc(100), *b = malloc(100);
    free(a);
    free(b);
    if (bad)
        free(a);
    error_made();
}

CASE(many_blocks_between) {
    char *p = malloc(100), *other[200];
    for (int i = 0; i < 200; i++)
        other[i] = malloc(100);
    free(p);
    for (int i = 0; i < 200; i++)
        free(other[i]);
    if (bad)
        free(p);
    error_made();
}

/* The place may belong to somebody else by then, who loses it. */
CASE(place_reused) {
    char *p = malloc(100);
    free(p);
    char *other = malloc(100);
    strcpy(other, "mine");
    if (bad)
        free(p);
    error_made();
    use(other[0]);
    if (!bad || other != p)
        free(other);
}

CASE(alias) {
    struct owner {
        char *name;
    } one = {strdup("a name of two owners")}, two = {bad ? one.name : strdup(one.name)};
    free(one.name);
    free(two.name);
    error_made();
}

CASE(error_path) {
    char *p = malloc(64);
    int failed = bad;
    if (failed)
        free(p);
    free(p);
    error_made();
}

CASE(after_realloc) {
    char *p = malloc(100), *moved = realloc(p, 100000);
    if (bad)
        free(p);
    error_made();
    free(moved);
}

CASE(realloc_of_freed) {
    char *p = malloc(100);
    if (bad)
        free(p);
    p = realloc(p, 1000);
    error_made();
    free(p);
}

CASE(after_realloc_to_nothing) {
    char *p = malloc(100);
    use_pointer(realloc(p, 0));
    if (bad)
        free(p);
    error_made();
}

CASE(page_sized_block) {
    char *p = calloc(1, 4096);
    free(p);
    if (bad)
        free(p);
    error_made();
}

CASE(large_block) {
    char *p = malloc(1 << 20);
    free(p);
    if (bad)
        free(p);
    error_made();
}

CASE(aligned_block) {
    void *p = NULL;
    use(posix_memalign(&p, 256, 1000));
    free(p);
    if (bad)
        free(p);
    error_made();
}

CASE(other_thread) {
    char *p = malloc(100);
    in_thread(free, bad ? p : malloc(10));
    free(p);
    error_made();
}

CASE(again_at_exit) {
    char *p = malloc(40);
    free_at_exit(p);
    if (bad)
        free(p);
}
