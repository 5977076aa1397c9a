#include <stdio.h>
#include <windows.h>

#include "hold.h"

void hold_exit_process(unsigned status) {
    ExitProcess(status);
}

void hold_fault(void) {
    RaiseException(EXCEPTION_ACCESS_VIOLATION, EXCEPTION_NONCONTINUABLE, 0, NULL);
}

void hold_wait(const char *file) {
    char unfinished[MAX_PATH];

    snprintf(unfinished, sizeof(unfinished), "%s.new", file);
    FILE *f = fopen(unfinished, "w");
    if (f == NULL)
        return;
    fprintf(f, "%lu\n", GetCurrentProcessId());
    fclose(f);
    MoveFileA(unfinished, file);
    while (GetFileAttributesA(file) != INVALID_FILE_ATTRIBUTES)
        Sleep(20);
}
