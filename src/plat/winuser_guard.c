/* guard.h in a Windows process: pages without memory behind them, and a vectored exception handler. */
#include "plat/guard.h"

#include <windows.h>

static bool (*fault_handler)(uintptr_t address, bool write, const void *pc);

/* Windows keeps a page's state by itself: guards cost address space and nothing else. */
size_t plat_guard_budget(void) {
    return SIZE_MAX;
}

bool plat_guard_close(void *address, size_t size) {
    return VirtualFree(address, size, MEM_DECOMMIT);
}

bool plat_guard_open(void *address, size_t size) {
    return VirtualAlloc(address, size, MEM_COMMIT, PAGE_READWRITE) != NULL;
}

static LONG CALLBACK on_exception(EXCEPTION_POINTERS *e) {
    const EXCEPTION_RECORD *r = e->ExceptionRecord;
    if (r->ExceptionCode != EXCEPTION_ACCESS_VIOLATION || r->NumberParameters < 2)
        return EXCEPTION_CONTINUE_SEARCH;
    return fault_handler(r->ExceptionInformation[1], r->ExceptionInformation[0] == 1,
                         r->ExceptionAddress)
               ? EXCEPTION_CONTINUE_EXECUTION
               : EXCEPTION_CONTINUE_SEARCH;
}

bool plat_fault_catch(bool (*handler)(uintptr_t address, bool write, const void *pc)) {
    fault_handler = handler;
    return AddVectoredExceptionHandler(1, on_exception) != NULL;
}

static uint64_t ms_of(const FILETIME *t) {
    return ((uint64_t)t->dwHighDateTime << 32 | t->dwLowDateTime) / 10000;
}

uint64_t plat_thread_ms(void) {
    FILETIME made, ended, kernel, user;

    if (!GetThreadTimes(GetCurrentThread(), &made, &ended, &kernel, &user))
        return 0;
    return ms_of(&kernel) + ms_of(&user);
}
