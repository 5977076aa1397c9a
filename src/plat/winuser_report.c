/* What a Windows process is told by its environment, and what it says: options, reports, the stop. */
#include "plat/plat.h"
#include "plat/winuser_watch.h"

#include <windows.h>

/* Of ntstatus.h, which windows.h excludes. */
#ifndef STATUS_FAIL_FAST_EXCEPTION
#define STATUS_FAIL_FAST_EXCEPTION ((DWORD)0xC0000602)
#endif

/* The longest value that an environment variable can have, with its terminator. */
#define OPTIONS_BYTES 32767u

const char *plat_options(void) {
    static char options[OPTIONS_BYTES]; /* its pages are taken as far as they are used */
    DWORD length = GetEnvironmentVariableA("RXPOOL_OPTIONS", options, sizeof(options));

    return length == 0 || length >= sizeof(options) ? NULL : options;
}

bool plat_configure(const char *spec) {
    (void)spec;
    return false;
}

size_t plat_report_take(char *out, size_t size, uint32_t *dropped) {
    (void)out;
    (void)size;
    *dropped = 0;
    return 0;
}

static HANDLE open_report(const char *file) {
    if (file == NULL || file[0] == '\0')
        return INVALID_HANDLE_VALUE;
    return CreateFileA(file, FILE_APPEND_DATA,
                       FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_ALWAYS,
                       FILE_ATTRIBUTE_NORMAL, NULL);
}

void plat_report(const char *file, const char *text, size_t length) {
    DWORD saved = GetLastError(), written;
    HANDLE own = open_report(file);
    HANDLE out = own != INVALID_HANDLE_VALUE ? own : GetStdHandle(STD_ERROR_HANDLE);

    while (length > 0 && WriteFile(out, text, (DWORD)length, &written, NULL) && written > 0) {
        text += written;
        length -= written;
    }
    if (own != INVALID_HANDLE_VALUE)
        CloseHandle(own);
    SetLastError(saved);
}

/*
 * No handler of the program sees it, a debugger does, and a dump holds the code and its four parameters as those of the
 * exception.
 */
void plat_stop(uint32_t code, const uint64_t parameter[4]) {
    EXCEPTION_RECORD record = {.ExceptionCode = STATUS_FAIL_FAST_EXCEPTION,
                               .ExceptionFlags = EXCEPTION_NONCONTINUABLE,
                               .NumberParameters = 5};

    record.ExceptionAddress = __builtin_return_address(0);
    record.ExceptionInformation[0] = code;
    for (unsigned i = 0; i < 4; i++)
        record.ExceptionInformation[i + 1] = parameter[i];
    winuser_watch_end();
    RaiseFailFastException(&record, NULL, 0);
    TerminateProcess(GetCurrentProcess(), STATUS_FAIL_FAST_EXCEPTION);
    __builtin_unreachable();
}

void plat_break(void) {
    DebugBreak();
}
