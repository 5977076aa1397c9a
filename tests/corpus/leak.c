/* Blocks that nothing leads to any more, and nobody freed (CWE-401). */
#include <stdlib.h>
#include <string.h>

#include "corpus.h"

/* What a program keeps until its end is no leak. */
static void *kept_to_the_end;

/*
 * Nothing of what was called may be left in the registers and on the stack of what comes next, nor on that of a thread
 * that has ended, which libc keeps for the next one.
 */
static void __attribute__((noinline)) forget(void) {
    volatile char stack[16384];
    for (size_t i = 0; i < sizeof stack; i++)
        stack[i] = 0;
}

static void __attribute__((noinline)) lose(int bad) {
    char *p = malloc(100);
    strcpy(p, "lost");
    if (!bad)
        free(p);
}

CASE(left_behind) {
    lose(bad);
    forget();
}

static void __attribute__((noinline)) overwrite(int bad) {
    char *p = malloc(100);
    if (!bad)
        free(p);
    p = malloc(50);
    free(p);
}

CASE(overwritten) {
    overwrite(bad);
    forget();
}

static void __attribute__((noinline)) fail_early(int bad) {
    char *p = malloc(300);
    int failed = 1;
    if (failed && bad)
        return;
    free(p);
}

CASE(early_return) {
    fail_early(bad);
    forget();
}

static void __attribute__((noinline)) free_the_head(int bad) {
    struct node {
        struct node *next;
    } *head = NULL;
    for (int i = 0; i < 4; i++) {
        struct node *n = malloc(sizeof *n);
        n->next = head;
        head = n;
    }
    do {
        struct node *next = head->next;
        free(head);
        head = next;
    } while (head != NULL && !bad);
}

CASE(tail_of_a_list) {
    free_the_head(bad);
    forget();
}

static void __attribute__((noinline)) free_the_owner(int bad) {
    struct owner {
        char *name;
    } *o = malloc(sizeof *o);
    o->name = strdup("owned by what was freed");
    if (!bad)
        free(o->name);
    free(o);
}

CASE(member) {
    free_the_owner(bad);
    forget();
}

static void __attribute__((noinline)) repeat(int bad) {
    for (int i = 0; i < 20; i++) {
        long *p = calloc(8, sizeof *p);
        if (!bad || i % 2 == 0)
            free(p);
    }
}

CASE(in_a_loop) {
    repeat(bad);
    forget();
}

static void work(void *bad) {
    lose(*(int *)bad);
    forget();
}

CASE(other_thread) {
    in_thread(work, &bad);
}

static void __attribute__((noinline)) cycle(int bad) {
    struct node {
        struct node *other;
        char bytes[40];
    } *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
    a->other = b;
    b->other = a;
    if (!bad) {
        free(a);
        free(b);
    }
}

CASE(ring) {
    cycle(bad);
    forget();
}

static void __attribute__((noinline)) keep(int bad) {
    void *p = malloc(500);
    kept_to_the_end = p;
    if (bad)
        kept_to_the_end = NULL;
}

CASE(last_reference) {
    keep(bad);
    forget();
}
