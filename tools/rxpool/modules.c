/* The modules of a process, from /proc/PID/maps, or from what its core file says: see modules.h. */
#define _GNU_SOURCE
#include "modules.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core_files.h"
#include "places.h"

struct modules {
    char **path;
    size_t count;
};

static bool known(const struct modules *m, const char *path) {
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->path[i], path) == 0)
            return true;
    return false;
}

static void add(struct modules *m, const char *path) {
    char **grown = realloc(m->path, (m->count + 1) * sizeof(*grown));
    if (grown == NULL)
        return;
    m->path = grown;
    if ((m->path[m->count] = strdup(path)) != NULL)
        m->count++;
}

static void add_new(struct modules *m, const char *path) {
    if (path[0] == '/' && !known(m, path))
        add(m, path);
}

struct modules *modules_of(pid_t pid) {
    char name[64], *line = NULL;
    size_t capacity = 0;
    struct modules *m = calloc(1, sizeof(*m));

    snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);
    FILE *maps = m != NULL ? fopen(name, "re") : NULL;
    if (maps == NULL) {
        free(m);
        return NULL;
    }
    while (getline(&line, &capacity, maps) > 0) {
        char *path = strchr(line, '/');
        line[strcspn(line, "\n")] = '\0';
        if (path != NULL)
            add_new(m, path);
    }
    free(line);
    fclose(maps);
    return m;
}

static void add_file(void *modules, const char *path) {
    add_new(modules, path);
}

struct modules *modules_of_core(const char *path) {
    struct modules *m = calloc(1, sizeof(*m));
    if (m != NULL)
        core_files(path, add_file, m);
    return m;
}

void modules_free(struct modules *m) {
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->count; i++)
        free(m->path[i]);
    free(m->path);
    free(m);
}

/* --- places ------------------------------------------------------------------------------------ */

/* The one of this name; NULL for none and for several. */
static const char *path_of(const struct modules *m, const char *name, size_t length) {
    const char *found = NULL;
    for (size_t i = 0; i < m->count; i++) {
        const char *base = basename(m->path[i]);
        if (strncmp(base, name, length) != 0 || base[length] != '\0')
            continue;
        if (found != NULL)
            return NULL;
        found = m->path[i];
    }
    return found;
}

char *modules_place(const struct modules *m, const char *site) {
    const char *plus = strstr(site, "+0x");
    if (m == NULL || plus == NULL)
        return NULL;
    const char *path = path_of(m, site, (size_t)(plus - site));
    return path != NULL ? place_name(path, strtoull(plus + 3, NULL, 16)) : NULL;
}
