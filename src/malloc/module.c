/* Modules by address: see module.h. */
#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

#include "malloc/module.h"

/*
 * Weak: glibc 2.35 brought it. The loader's other ways of asking this question all take its lock,
 * which a thread that is loading a module holds while it allocates.
 */
#ifdef DLFO_STRUCT_HAS_EH_DBASE
extern __typeof__(_dl_find_object) _dl_find_object __attribute__((weak));
#endif

/* The loader knows the program itself by an empty name. */
static struct {
    char name[256];
    size_t length;
} program = {"[program]", 9};

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

void module_start(void) {
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0)
        return; /* no /proc here */
    path[length] = '\0';
    const char *name = base_name(path);
    program.length = strnlen(name, sizeof program.name - 1);
    memcpy(program.name, name, program.length);
}

static void name_module(struct module *out, const char *path) {
    out->name = path[0] != '\0' ? base_name(path) : program.name;
    out->name_length = path[0] != '\0' ? strlen(out->name) : program.length;
}

static bool name_nothing(struct module *out) {
    static const char anonymous[] = "[anonymous]";
    *out = (struct module){anonymous, sizeof anonymous - 1, 0};
    return false;
}

struct walk {
    uintptr_t address;
    struct module *out;
};

static int walk_module(struct dl_phdr_info *info, size_t size, void *argument) {
    (void)size;
    struct walk *walk = argument;
    bool inside = false;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type != PT_LOAD)
            continue;
        inside |= walk->address - from < segment->p_memsz;
    }
    if (!inside)
        return 0;
    name_module(walk->out, info->dlpi_name);
    walk->out->bias = info->dlpi_addr;
    return 1;
}

bool module_find_by_walk(const void *address, struct module *out) {
    struct walk walk = {(uintptr_t)address, out};
    return dl_iterate_phdr(walk_module, &walk) != 0 || name_nothing(out);
}

bool module_find(const void *address, struct module *out) {
#ifdef DLFO_STRUCT_HAS_EH_DBASE
    if (_dl_find_object != NULL) {
        struct dl_find_object found;
        if (_dl_find_object((void *)(uintptr_t)address, &found) != 0)
            return name_nothing(out);
        name_module(out, found.dlfo_link_map->l_name);
        out->bias = found.dlfo_link_map->l_addr;
        return true;
    }
#endif
    return module_find_by_walk(address, out);
}
