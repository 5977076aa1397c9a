#include "fibers.h"

#include <windows.h>

struct start {
    void (*run)(void *argument);
    void *argument;
};

static void WINAPI fiber_main(void *start) {
    struct start s = *(struct start *)start;

    HeapFree(GetProcessHeap(), 0, start);
    s.run(s.argument);
}

static DWORD WINAPI thread_main(void *start) {
    struct start *s = start;

    s->run(s->argument);
    return 0;
}

void *fibers_begin(void) {
    return ConvertThreadToFiber(NULL);
}

void *fibers_make(void (*run)(void *argument), void *argument) {
    struct start *s = HeapAlloc(GetProcessHeap(), 0, sizeof(*s));

    if (s == NULL)
        return NULL;
    *s = (struct start){run, argument};
    return CreateFiber(0, fiber_main, s);
}

void fibers_go(void *fiber) {
    SwitchToFiber(fiber);
}

void fibers_delete(void *fiber) {
    DeleteFiber(fiber);
}

bool fibers_on_thread(void (*run)(void *argument), void *argument) {
    struct start s = {run, argument};
    HANDLE thread = CreateThread(NULL, 0, thread_main, &s, 0, NULL);

    if (thread == NULL)
        return false;
    bool ended = WaitForSingleObject(thread, 30000) == WAIT_OBJECT_0;
    CloseHandle(thread);
    return ended;
}

void fibers_end_thread(void) {
    ExitThread(0);
}
