/* The modules of a process, from /proc/PID/maps, or from what its core file says: see modules.h. */
#define _GNU_SOURCE
#include "modules.h"

#include <elf.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* --- core files -------------------------------------------------------------------------------- */

/*
 * The note NT_FILE: words of the machine that say how many files there are, what a page is, and of each file
 * where it was mapped; behind them the names, each with its terminator. The note may hold anything.
 */
static void add_files(struct modules *m, const char *note, size_t size) {
    unsigned long count;
    if (size < 2 * sizeof(count))
        return;
    memcpy(&count, note, sizeof(count));
    if (count > (size / sizeof(count) - 2) / 3)
        return;
    const char *name = note + (2 + 3 * count) * sizeof(count), *end = note + size;
    for (unsigned long i = 0; i < count && memchr(name, '\0', (size_t)(end - name)) != NULL; i++) {
        add_new(m, name);
        name += strlen(name) + 1;
    }
}

static void add_notes(struct modules *m, Elf_Data *notes) {
    GElf_Nhdr note;
    size_t name, body, at = 0, next;
    while (notes != NULL && (next = gelf_getnote(notes, at, &note, &name, &body)) > 0) {
        if (note.n_type == NT_FILE)
            add_files(m, (const char *)notes->d_buf + body, note.n_descsz);
        at = next;
    }
}

static void add_core(struct modules *m, Elf *core) {
    GElf_Phdr segment;
    size_t count;
    if (elf_getphdrnum(core, &count) != 0)
        return;
    for (size_t i = 0; i < count; i++)
        if (gelf_getphdr(core, (int)i, &segment) != NULL && segment.p_type == PT_NOTE)
            add_notes(m, elf_getdata_rawchunk(core, (int64_t)segment.p_offset, segment.p_filesz,
                                              segment.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR));
}

struct modules *modules_of_core(const char *path) {
    struct modules *m = calloc(1, sizeof(*m));
    int file = m != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    Elf *core = NULL;
    if (file >= 0 && elf_version(EV_CURRENT) != EV_NONE)
        core = elf_begin(file, ELF_C_READ_MMAP, NULL);
    if (core != NULL)
        add_core(m, core);
    elf_end(core);
    if (file >= 0)
        close(file);
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
