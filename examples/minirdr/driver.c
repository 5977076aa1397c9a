/*
 * minirdr.sys: the same redirector as a Windows kernel driver. It reads the tree that the service parameter
 * Case names (C:\tree) from a system thread, while the driver is loaded; unloading waits for that, and
 * writes to the log what it found, as the last line tells: passed, or FAILED.
 */
#include "driver.h"

#include "core.h"
#include "journal.h"

#define THREADS 2
#define PATH_CHARACTERS JOURNAL_CASE_BYTES

static struct {
    NT_HOST Host;
    MINIRDR_STATISTICS Statistics;
    NTSTATUS Status;
    SIZE_T Leaks;
    HANDLE Thread;
} Job;

static VOID NTAPI JobMain(PVOID Parameter) {
    UNREFERENCED_PARAMETER(Parameter);
    Job.Status = MinirdrRun(&Job.Host.Host, THREADS, &Job.Statistics, &Job.Leaks);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

/* `\??\` and the service parameter. */
static NTSTATUS OpenTree(VOID) {
    static WCHAR Path[PATH_CHARACTERS + 4] = {'\\', '?', '?', '\\'};
    UNICODE_STRING Name;

    for (ULONG i = 0; i < PATH_CHARACTERS; i++)
        Path[4 + i] = (UCHAR)JournalCase()[i];
    RtlInitUnicodeString(&Name, Path);
    return NtHostOpen(&Job.Host, &Name);
}

static VOID WriteStatistics(VOID) {
    const MINIRDR_STATISTICS *S = &Job.Statistics;

    JournalPrint("found: %I64d files, %I64d directories\n", S->Files, S->Directories);
    JournalPrint(
        "compared: %I64d files, %I64d bytes equal to a plain read, %I64d different, %I64d changed, "
        "%I64d not read\n",
        S->FilesRead, S->Bytes, S->Different, S->Changed + S->SizeChanged, S->Unreadable);
    JournalPrint("opens: %I64d, %I64d of them shared; work items: %I64d\n", S->Opens,
                 S->SharedOpens, S->WorkItems);
    JournalPrint("damaged blocks: %I64d; leaks: %I64d\n", S->DamagedBlocks, (LONGLONG)Job.Leaks);
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver) {
    const MINIRDR_STATISTICS *S = &Job.Statistics;

    UNREFERENCED_PARAMETER(Driver);
    ZwWaitForSingleObject(Job.Thread, FALSE, NULL);
    ZwClose(Job.Thread);
    NtHostClose(&Job.Host);
    JournalReports();
    WriteStatistics();
    if (NT_SUCCESS(Job.Status) && Job.Leaks == 0 && S->DamagedBlocks == 0 && S->Different == 0 &&
        S->Unreadable == 0 && S->FilesRead != 0)
        JournalPrint("minirdr: passed\n");
    else
        JournalPrint("minirdr: FAILED: status 0x%08lX\n", (ULONG)Job.Status);
    JournalClose();
}

static NTSTATUS Start(VOID) {
    NTSTATUS Status = OpenTree();

    if (!NT_SUCCESS(Status)) {
        JournalPrint("minirdr: FAILED: %s cannot be opened: status 0x%08lX\n", JournalCase(),
                     (ULONG)Status);
        return Status;
    }
    Status = PsCreateSystemThread(&Job.Thread, SYNCHRONIZE, NULL, NULL, NULL, JobMain, NULL);
    if (!NT_SUCCESS(Status))
        NtHostClose(&Job.Host);
    return Status;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath);
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath) {
    NTSTATUS Status = JournalOpen(RegistryPath);

    if (!NT_SUCCESS(Status))
        return Status;
    Driver->DriverUnload = Unload;
    Status = Start();
    if (!NT_SUCCESS(Status))
        JournalClose();
    return Status;
}
