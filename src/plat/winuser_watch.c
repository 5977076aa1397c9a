#include "plat/winuser_watch.h"

#include <stdatomic.h>

#include <windows.h>

#include "base/text.h"

/* From ntdll; the kit's headers do not declare it. */
NTSYSAPI BOOLEAN NTAPI RtlDllShutdownInProgress(VOID);

bool winuser_is_ending(void) {
    return RtlDllShutdownInProgress();
}

void winuser_watch_name(char name[WINUSER_WATCH_NAME], const char *what, uint32_t process) {
    struct text t;

    text_init(&t, name, WINUSER_WATCH_NAME);
    text_string(&t, "Local\\rxpool-run-");
    text_decimal(&t, process);
    text_char(&t, '-');
    text_string(&t, what);
}

/* Takes no lock of the process: the threads that held those may be gone. */
void winuser_watch_end(void) {
    static _Atomic bool seen;
    char name[WINUSER_WATCH_NAME];
    DWORD process = GetCurrentProcessId();

    if (atomic_exchange(&seen, true))
        return;
    winuser_watch_name(name, WINUSER_WATCH_LOOKING, process);
    HANDLE looking = OpenMutexA(SYNCHRONIZE, FALSE, name);
    winuser_watch_name(name, WINUSER_WATCH_ENDED, process);
    HANDLE ended = OpenEventA(EVENT_MODIFY_STATE, FALSE, name);
    if (looking != NULL && ended != NULL && SetEvent(ended))
        WaitForSingleObject(looking, INFINITE);
}
