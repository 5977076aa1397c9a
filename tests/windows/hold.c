/*
 * What the tool's tests look at: blocks under two tags, and the ends that a process can come to.
 *
 *   hold END [FILE]      END: return, exit, ExitProcess, fault, stop, none (no block at all), wait (writes its process
 *                        id to FILE, and returns when FILE is gone), or idle (the same without any block)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ntifs.h>

#include <ntrxdef.h>

#include "hold.h"

static void allocate(void) {
    for (int i = 0; i < 1234; i++) {
        PVOID one = ExAllocatePoolWithTag(PagedPool, 1000, 'dloH');
        if (i >= 1000)
            ExFreePool(one);
    }
    ExAllocatePoolWithTag(NonPagedPool, 100, 'pnoN');
}

int main(int argc, char **argv) {
    const char *end = argc > 1 ? argv[1] : "return";

    if (strcmp(end, "none") == 0)
        return 0;
    if (strcmp(end, "idle") == 0 && argc > 2) {
        hold_wait(argv[2]);
        return 0;
    }
    allocate();
    if (strcmp(end, "exit") == 0)
        exit(9);
    if (strcmp(end, "ExitProcess") == 0)
        hold_exit_process(8);
    if (strcmp(end, "fault") == 0)
        hold_fault();
    if (strcmp(end, "stop") == 0)
        ExFreePool(argv); /* no pool's */
    if (strcmp(end, "wait") == 0 && argc > 2)
        hold_wait(argv[2]);
    for (int i = 2; i < argc; i++)
        printf("[%s]\n", argv[i]);
    return 7;
}
