/* Reads and writes of freed blocks (CWE-416). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "corpus.h"

#define END(p)                                                                                     \
    do {                                                                                           \
        error_made();                                                                              \
        if (!bad)                                                                                  \
            free(p);                                                                               \
    } while (0)

static void *block(size_t bytes, int freed) {
    char *p = malloc(bytes);
    memset(p, 'A', bytes - 4);
    memset(p + bytes - 4, 0, 4);
    if (freed)
        free(p);
    return p;
}

CASE(read_char) {
    char *p = block(100, bad);
    use(p[50]);
    END(p);
}

CASE(read_int64) {
    long *p = block(100 * sizeof *p, bad);
    use(p[0]);
    END(p);
}

CASE(write_char) {
    char *p = block(100, bad);
    p[50] = 'w';
    END(p);
}

CASE(write_int) {
    int *p = block(100 * sizeof *p, bad);
    p[0] = 1;
    END(p);
}

CASE(strlen_of_freed) {
    char *p = block(100, bad);
    use((long)strlen(p));
    END(p);
}

CASE(strcpy_of_freed) {
    char to[4096];
    char *p = block(100, bad);
    strcpy(to, p);
    END(p);
}

CASE(memcpy_of_freed) {
    char to[64];
    char *p = block(100, bad);
    memcpy(to, p, sizeof to);
    END(p);
}

CASE(memset_of_freed) {
    char *p = block(100, bad);
    memset(p, 0, 100);
    END(p);
}

CASE(printed) {
    char *p = block(100, bad), out[4096];
    use(snprintf(out, sizeof out, "%s", p));
    END(p);
}

CASE(wide_text) {
    wchar_t *p = block(40 * sizeof *p, bad);
    use(p[3] == L'A');
    END(p);
}

CASE(write_call) {
    char *p = block(100, bad);
    int to = sink();
    use(write(to, p, 100));
    close(to);
    END(p);
}

struct node {
    struct node *next;
    long value;
};

CASE(list_walk) {
    struct node *list = NULL;
    for (int i = 0; i < 5; i++) {
        struct node *n = malloc(sizeof *n);
        n->next = list;
        n->value = i;
        list = n;
    }
    for (struct node *n = list, *next; n != NULL; n = bad ? n->next : next) {
        next = n->next;
        free(n);
    }
    error_made();
}

static void say_nothing(void) {}

CASE(function_pointer) {
    struct object {
        long reserved[4];
        void (*method)(void);
    } *o = malloc(sizeof *o);
    o->method = say_nothing;
    if (bad)
        free(o);
    o->method();
    END(o);
}

CASE(owner_freed_first) {
    struct owner {
        char *name;
        long count;
    } *o = malloc(sizeof *o);
    o->name = strdup("owned");
    char *name = o->name;
    if (bad)
        free(o);
    free(bad ? o->name : name);
    END(o);
}

CASE(old_place_read) {
    char *p = block(100, 0), *moved = realloc(p, 100000);
    use(bad ? p[0] : moved[0]);
    error_made();
    free(moved);
}

CASE(old_place_written) {
    char *p = block(100, 0), *moved = realloc(p, 100000);
    (bad ? p : moved)[20] = 'x';
    error_made();
    free(moved);
}

CASE(page_sized_block) {
    char *p = block(4096, bad);
    use(p[4000]);
    END(p);
}

CASE(large_block) {
    char *p = block(1 << 20, bad);
    use(p[5000]);
    END(p);
}

CASE(large_block_written) {
    char *p = block(1 << 20, bad);
    p[5000] = 1;
    END(p);
}

/* Somebody else's block may be at the place by then. */
CASE(read_when_reused) {
    char *p = block(100, bad);
    char *other[50];
    for (int i = 0; i < 50; i++)
        other[i] = block(100, 0);
    use(p[10]);
    for (int i = 0; i < 50; i++)
        free(other[i]);
    END(p);
}

CASE(written_when_reused) {
    char *p = block(100, bad);
    char *other[50];
    for (int i = 0; i < 50; i++)
        other[i] = block(100, 0);
    strcpy(p, "late");
    for (int i = 0; i < 50; i++)
        free(other[i]);
    END(p);
}

CASE(written_long_after) {
    char *p = block(48, bad);
    for (int i = 0; i < 5000; i++)
        free(block(48, 0));
    p[8] = 'l';
    END(p);
}

static void write_first(void *p) {
    *(char *)p = 't';
}

CASE(other_thread) {
    char *p = block(100, bad);
    in_thread(write_first, p);
    END(p);
}

static char *cached;

static void use_cached(void) {
    use(cached[0]);
    cached[0] = 'e';
}

CASE(exit_handler) {
    cached = block(100, 0);
    free_at_exit(bad ? NULL : cached);
    atexit(use_cached);
    if (bad)
        free(cached);
}
