/*
 * The memory of a live process on Windows, this one included, by ReadProcessMemory: the target is
 * neither stopped nor changed, and a wild address is an error and no fault.
 */
#include <windows.h>

#include "ex/layout.h"
#include "stats/memory.h"

static bool process_read(struct memory *m, const struct piece *pieces, size_t count) {
    for (size_t i = 0; i < count; i++) {
        SIZE_T got = 0;
        const void *from = (const void *)(uintptr_t)pieces[i].address;
        if (!ReadProcessMemory(m->process, from, pieces[i].out, pieces[i].size, &got) ||
            got != pieces[i].size)
            return false;
    }
    return true;
}

/* Private, committed, writable, starting where a slab could: a range begins so, behind its guard. */
static bool may_begin_range(const MEMORY_BASIC_INFORMATION *region) {
    return region->State == MEM_COMMIT && region->Type == MEM_PRIVATE &&
           region->Protect == PAGE_READWRITE && (uintptr_t)region->BaseAddress % SLAB_SIZE == 0;
}

static enum rxpool_stats_status process_each_area(struct memory *m,
                                                  bool (*visit)(void *context, uint64_t start),
                                                  void *context, struct rxpool_stats_error *error) {
    MEMORY_BASIC_INFORMATION region;
    const char *at = NULL;

    (void)error;
    while (VirtualQueryEx(m->process, at, &region, sizeof(region)) == sizeof(region)) {
        if (may_begin_range(&region) && visit(context, (uintptr_t)region.BaseAddress))
            break;
        at = (const char *)region.BaseAddress + region.RegionSize;
    }
    return RXPOOL_STATS_OK;
}

static bool process_alive(struct memory *m) {
    return WaitForSingleObject(m->process, 0) == WAIT_TIMEOUT;
}

static void process_close(struct memory *m) {
    CloseHandle(m->process);
}

enum rxpool_stats_status memory_open_process(struct memory *m, pid_t pid,
                                             struct rxpool_stats_error *error) {
    *m = (struct memory){.pid = (uint32_t)pid,
                         .fd = -1,
                         .read = process_read,
                         .each_area = process_each_area,
                         .alive = process_alive,
                         .close = process_close};
    m->process =
        OpenProcess(PROCESS_VM_READ | PROCESS_QUERY_INFORMATION | SYNCHRONIZE, FALSE, (DWORD)pid);
    if (m->process != NULL)
        return RXPOOL_STATS_OK;
    DWORD number = GetLastError();
    if (number == ERROR_INVALID_PARAMETER)
        return stats_fail(error, RXPOOL_STATS_GONE, "there is no process %u", m->pid);
    return stats_fail(
        error, RXPOOL_STATS_DENIED,
        "process %u cannot be read (Windows error %lu): it must be this user's, or the "
        "reader must hold SeDebugPrivilege",
        m->pid, number);
}
