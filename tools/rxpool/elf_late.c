/*
 * places.h and core_files.h for a command that may need neither: the library of both, and those that it brings with it, are
 * loaded with the first question.
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "core_files.h"
#include "places.h"
#include "tool.h"

#define LIBRARY "rxpool/elf.so"

static void *library(void) {
    static void *loaded;
    static bool tried;
    char path[PATH_MAX];
    if (tried)
        return loaded;
    tried = true;
    bool found = library_beside(LIBRARY, path, sizeof(path));
    loaded = found ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (loaded == NULL)
        tool_message("functions and lines are not known: %s",
                     found ? dlerror() : "../lib/" LIBRARY " beside this program is not there");
    return loaded;
}

static void *function(const char *name) {
    return library() != NULL ? dlsym(library(), name) : NULL;
}

char *place_name(const char *module, uint64_t offset) {
    char *(*name)(const char *, uint64_t);
    *(void **)&name = function("place_name");
    return name != NULL ? name(module, offset) : NULL;
}

void core_files(const char *path, void (*tell)(void *context, const char *file), void *context) {
    void (*files)(const char *, void (*)(void *, const char *), void *);
    *(void **)&files = function("core_files");
    if (files != NULL)
        files(path, tell, context);
}
