/* Which module an address lies in. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "plat/plat.h"

/*
 * The program's own path, which the loader's list does not have: read once, by the first thread that asks.
 * Another one that asks meanwhile waits for it, though not for ever: it may be a signal handler of that
 * very thread, or the child of a fork that left that thread behind.
 */
enum { UNREAD, READING, READ };
#define PATIENCE_YIELDS 1000u

static char path[PATH_MAX];
static _Atomic int path_state;

static bool path_is_read(void) {
    return atomic_load_explicit(&path_state, memory_order_acquire) == READ;
}

static RXP_COLD void read_path(void) {
    int unread = UNREAD, saved = errno;
    if (atomic_compare_exchange_strong(&path_state, &unread, READING)) {
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
        atomic_store_explicit(&path_state, n > 0 ? READ : UNREAD, memory_order_release);
    }
    for (unsigned waited = 0; waited < PATIENCE_YIELDS; waited++) {
        if (atomic_load_explicit(&path_state, memory_order_acquire) != READING)
            break;
        plat_yield();
    }
    errno = saved;
}

const char *plat_program(void) {
    if (RXP_UNLIKELY(!path_is_read())) {
        read_path();
        if (!path_is_read()) {
            const char *given = (const char *)getauxval(AT_EXECFN);
            return given != NULL ? given : "program";
        }
    }
    return path;
}

const char *plat_module_of(const void *pc, uint64_t *offset) {
    struct dl_find_object found;
    if (_dl_find_object((void *)(uintptr_t)((const char *)pc - 1), &found) != 0)
        return NULL;
    *offset = (uintptr_t)pc - found.dlfo_link_map->l_addr;
    return found.dlfo_link_map->l_name[0] != '\0' ? found.dlfo_link_map->l_name : plat_program();
}

/* A library, even one that the program is linked with, may be left out of account: its sites are told by their text. */
bool plat_is_constant(const void *address) {
    const ElfW(Phdr) *header = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    size_t count = getauxval(AT_PHNUM), i = 0;
    while (i < count && header[i].p_type != PT_PHDR)
        i++;
    if (i == count) /* where the program was loaded is not known */
        return false;
    uintptr_t at = (uintptr_t)address - ((uintptr_t)header - header[i].p_vaddr);
    for (i = 0; i < count; i++) {
        if (header[i].p_type == PT_LOAD && (header[i].p_flags & PF_W) == 0 &&
            at - header[i].p_vaddr < header[i].p_filesz)
            return true;
    }
    return false;
}
