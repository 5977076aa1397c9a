/* plat/wait.h in a Windows process. */
#include "plat/wait.h"

#include <windows.h>

#define NS_PER_MS 1000000u
#define NS_PER_SECOND 1000000000u

/* Rounded up: a wait never ends before its time. */
static DWORD milliseconds(uint64_t ns) {
    uint64_t ms = ns / NS_PER_MS + (ns % NS_PER_MS != 0);

    if (ns == PLAT_FOREVER)
        return INFINITE;
    return ms < INFINITE ? (DWORD)ms : INFINITE - 1;
}

bool plat_wait(const uint32_t *word, uint32_t expected, uint64_t timeout) {
    DWORD saved = GetLastError();
    bool timed_out = !WaitOnAddress((volatile VOID *)(uintptr_t)word, &expected, sizeof(expected),
                                    milliseconds(timeout)) &&
                     GetLastError() == ERROR_TIMEOUT;

    SetLastError(saved);
    return !timed_out;
}

void plat_wake(const uint32_t *word, unsigned count) {
    if (count == 1)
        WakeByAddressSingle((PVOID)(uintptr_t)word);
    else if (count > 1)
        WakeByAddressAll((PVOID)(uintptr_t)word);
}

struct start {
    void (*routine)(void *);
    void *argument;
};

static DWORD WINAPI thread_main(void *argument) {
    struct start start = *(struct start *)argument;

    HeapFree(GetProcessHeap(), 0, argument);
    start.routine(start.argument);
    return 0;
}

bool plat_thread_start(void (*routine)(void *), void *argument) {
    struct start *start = HeapAlloc(GetProcessHeap(), 0, sizeof *start);
    HANDLE thread = NULL;

    if (start == NULL)
        return false;
    *start = (struct start){routine, argument};
    thread = CreateThread(NULL, 0, thread_main, start, 0, NULL);
    if (thread == NULL)
        HeapFree(GetProcessHeap(), 0, start);
    else
        CloseHandle(thread);
    return thread != NULL;
}

void plat_thread_exit(void) {
    ExitThread(0);
}

/* Split, so that the product does not wrap after some years. */
uint64_t plat_clock_ns(void) {
    LARGE_INTEGER frequency, now;

    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&now);
    uint64_t f = (uint64_t)frequency.QuadPart, n = (uint64_t)now.QuadPart;
    return n / f * NS_PER_SECOND + n % f * NS_PER_SECOND / f;
}

uint64_t plat_clock_1601(void) {
    FILETIME now;

    GetSystemTimeAsFileTime(&now);
    return (uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime;
}

uint32_t plat_process_id(void) {
    return GetCurrentProcessId();
}
