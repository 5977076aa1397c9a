/* Small files that the library reads and adds to: see plat.h. */
#include "plat/plat.h"

#include <windows.h>

#define SHARED (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

bool plat_append(const char *file, const char *text, size_t length) {
    DWORD saved = GetLastError(), written = 0;
    HANDLE to =
        CreateFileA(file, FILE_APPEND_DATA, SHARED, NULL, OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    bool whole = to != INVALID_HANDLE_VALUE && WriteFile(to, text, (DWORD)length, &written, NULL) &&
                 written == length;

    if (to != INVALID_HANDLE_VALUE)
        CloseHandle(to);
    SetLastError(saved);
    return whole;
}

size_t plat_read_file(const char *file, uint64_t offset, void *out, size_t size) {
    DWORD saved = GetLastError(), got = 0;
    OVERLAPPED at = {.Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32)};
    HANDLE from =
        CreateFileA(file, GENERIC_READ, SHARED, NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);

    if (from != INVALID_HANDLE_VALUE) {
        if (!ReadFile(from, out, (DWORD)size, &got, &at))
            got = 0;
        CloseHandle(from);
    }
    SetLastError(saved);
    return got;
}
