/* What the Linux half of the example shares: names, the host, what was reported, and the plain walk. */
#ifndef MINIRDR_LINUX_H
#define MINIRDR_LINUX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "host.h"
#include "print.h"

/* --- names.c ----------------------------------------------------------------------------------------- */

/*
 * File names are bytes, here and there UTF-8; NT names are UTF-16 with `\` between components. Both ways
 * lose nothing: a byte that is not UTF-8 becomes U+DC00 + byte, and a `\` in a name U+F05C.
 */

/* `length` bytes into at most as many units of `out`; answers the units. */
size_t names_decode(WCHAR *out, const char *bytes, size_t length);
/* A new string with `/` between components, for free(); NULL when memory is short. */
char *names_encode(PCUNICODE_STRING name);

/* --- host_linux.c ------------------------------------------------------------------------------------- */

#define EVENTS_KEPT 20

/* Names that the core told of, the first EVENTS_KEPT of each kind. */
struct event_list {
    uint64_t count;
    char *line[EVENTS_KEPT];
};

struct linux_host {
    MINIRDR_HOST host;
    int root; /* open directory */
    pthread_mutex_t lock;
    struct event_list events[HostEventDifferent + 1];
    /* Reported of some name: */
    bool name_too_long;   /* the tree cannot be walked whole */
    bool resources_short; /* memory or descriptors; that is not the tree's fault */
};

/* Opens `directory`; false, with errno, when that fails. */
bool linux_host_open(struct linux_host *host, const char *directory);
void linux_host_close(struct linux_host *host);
/* Prints what was reported: one line for each name, and how many more there are. */
void linux_host_print_events(const struct linux_host *host, FILE *out);

/* --- walk.c --------------------------------------------------------------------------------------------- */

/* What a plain walk of the tree finds. */
struct walk {
    uint64_t directories, files, links, others;
    bool changed; /* a directory changed since `since` */
};

/* False when the tree could not be walked. */
bool walk_tree(const char *directory, time_t since, struct walk *found);

#endif
