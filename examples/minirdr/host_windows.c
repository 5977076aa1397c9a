/* What a Windows program does in its own way: see driver.h. */
#include <stdio.h>

#include "driver.h"

/* System threads are rxpool's own objects here. */
VOID HostWaitForThread(HANDLE Thread) {
    PVOID Object;

    if (NT_SUCCESS(ObReferenceObjectByHandle(Thread, THREAD_ALL_ACCESS, *PsThreadType, KernelMode,
                                             &Object, NULL))) {
        KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, NULL);
        ObDereferenceObject(Object);
    }
    ZwClose(Thread);
}

VOID HostReport(PVOID Context, HOST_EVENT Event, PCUNICODE_STRING Name, NTSTATUS Status) {
    char Text[260];
    ULONG Length = 0;

    UNREFERENCED_PARAMETER(Context);
    for (; Length < Name->Length / sizeof(WCHAR) && Length < sizeof(Text) - 1; Length++)
        Text[Length] = (char)(Name->Buffer[Length] < 0x80 ? Name->Buffer[Length] : '?');
    Text[Length] = 0;
    fprintf(stderr, "minirdr: event %d, status 0x%08X: %s\n", (int)Event, (unsigned)Status, Text);
}
