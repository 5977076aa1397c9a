/* Which module an address lies in. */
#include "plat/plat.h"

#include <windows.h>

#define MODULES_MOST 64u

/*
 * Paths of modules that were asked for, each once, never changed. The system is asked before the lock is taken: it takes
 * the loader's, under which a module may be calling us.
 */
static struct {
    struct plat_lock lock;
    unsigned count;
    char path[MODULES_MOST][MAX_PATH];
} known;

static const char *keep(const char *path, DWORD length) {
    const char *kept = NULL;

    plat_lock_acquire(&known.lock);
    for (unsigned i = 0; i < known.count && kept == NULL; i++)
        if (lstrcmpA(known.path[i], path) == 0)
            kept = known.path[i];
    if (kept == NULL && known.count < MODULES_MOST) {
        __builtin_memcpy(known.path[known.count], path, length + 1);
        kept = known.path[known.count++];
    }
    plat_lock_release(&known.lock);
    return kept;
}

const char *plat_module_of(const void *pc, uint64_t *offset) {
    MEMORY_BASIC_INFORMATION region;
    char path[MAX_PATH];
    DWORD length;

    if (VirtualQuery((const char *)pc - 1, &region, sizeof(region)) != sizeof(region) ||
        region.Type != MEM_IMAGE)
        return NULL;
    length = GetModuleFileNameA(region.AllocationBase, path, sizeof(path));
    if (length == 0 || length >= sizeof(path))
        return NULL;
    *offset = (uintptr_t)pc - (uintptr_t)region.AllocationBase;
    return keep(path, length);
}

const char *plat_program(void) {
    char path[MAX_PATH];
    DWORD length = GetModuleFileNameA(NULL, path, sizeof(path));

    return length == 0 || length >= sizeof(path) ? NULL : keep(path, length);
}

bool plat_is_constant(const void *address) {
    (void)address;
    return false;
}
