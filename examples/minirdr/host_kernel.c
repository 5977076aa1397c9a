/* What a Windows kernel does in its own way: see driver.h. */
#include "driver.h"

VOID HostWaitForThread(HANDLE Thread) {
    ZwWaitForSingleObject(Thread, FALSE, NULL);
    ZwClose(Thread);
}

VOID HostReport(PVOID Context, HOST_EVENT Event, PCUNICODE_STRING Name, NTSTATUS Status) {
    UNREFERENCED_PARAMETER(Context);
    DbgPrint("minirdr: event %d, status 0x%08lX: %wZ\n", (int)Event, (ULONG)Status, Name);
}
