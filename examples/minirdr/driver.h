/* What the halves of the example for Windows share: its kernel's, and user mode's. */
#ifndef MINIRDR_DRIVER_H
#define MINIRDR_DRIVER_H

#include "host.h"

typedef struct _NT_HOST {
    MINIRDR_HOST Host;
    HANDLE Root; /* open directory */
} NT_HOST, *PNT_HOST;

/* Opens Directory, an absolute NT path. PASSIVE_LEVEL. */
NTSTATUS NtHostOpen(PNT_HOST Host, PUNICODE_STRING Directory);
VOID NtHostClose(PNT_HOST Host);

/* What differs: host_kernel.c, host_windows.c. Waits for a system thread's end, and closes its handle. */
VOID HostWaitForThread(HANDLE Thread);
/* As in MINIRDR_HOST. */
VOID HostReport(PVOID Context, HOST_EVENT Event, PCUNICODE_STRING Name, NTSTATUS Status);

#endif
