/* Correct programs of some size: what a detector costs. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corpus.h"

static uint32_t random_state = 1;

static uint32_t next_random(void) {
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

struct node {
    struct node *child[2];
    uint32_t key;
    char name[20];
};

static void insert(struct node **at, uint32_t key) {
    while (*at != NULL)
        at = &(*at)->child[key > (*at)->key];
    *at = calloc(1, sizeof **at);
    (*at)->key = key;
    snprintf((*at)->name, sizeof(*at)->name, "node %u", key);
}

static long sum(const struct node *n) {
    return n == NULL ? 0 : n->name[5] + sum(n->child[0]) + sum(n->child[1]);
}

static void destroy(struct node *n) {
    if (n == NULL)
        return;
    destroy(n->child[0]);
    destroy(n->child[1]);
    free(n);
}

/* Search trees: many small blocks, pointers followed at random. */
CASE(trees) {
    for (int round = 0; round < 3; round++) {
        struct node *root = NULL;
        for (int i = 0; i < 100000; i++)
            insert(&root, next_random());
        for (int i = 0; i < 5; i++)
            use(sum(root));
        destroy(root);
    }
}

static int compare(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lines that grow, are sorted, joined and cut apart: strings and realloc. */
CASE(texts) {
    enum { LINES = 20000 };
    char **line = malloc(LINES * sizeof *line), *all = NULL;
    size_t length = 0, room = 0;
    for (int i = 0; i < LINES; i++) {
        char word[16];
        line[i] = strdup("");
        for (uint32_t words = next_random() % 12 + 1; words > 0; words--) {
            snprintf(word, sizeof word, "%u ", next_random() % 100000);
            line[i] = realloc(line[i], strlen(line[i]) + strlen(word) + 1);
            strcat(line[i], word);
        }
    }
    qsort(line, LINES, sizeof *line, compare);
    for (int i = 0; i < LINES; i++) {
        size_t more = strlen(line[i]);
        if (length + more + 1 > room)
            all = realloc(all, room = 2 * (length + more + 1));
        memcpy(all + length, line[i], more + 1);
        length += more;
        free(line[i]);
    }
    use((long)length);
    free(line);
    free(all);
}

/* A table in which entries come and go, of sizes from 16 to 4096: a server's caches. */
CASE(tables) {
    enum { ENTRIES = 30000, STEPS = 600000 };
    char **entry = calloc(ENTRIES, sizeof *entry);
    for (int i = 0; i < STEPS; i++) {
        uint32_t at = next_random() % ENTRIES, size = 16u << next_random() % 6;
        free(entry[at]);
        size += next_random() % size;
        entry[at] = malloc(size);
        memset(entry[at], i, size < 256 ? size : 256);
        use(entry[at][size / 8]);
    }
    for (int i = 0; i < ENTRIES; i++)
        free(entry[i]);
    free(entry);
}
