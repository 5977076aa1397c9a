/*
 * The redirector's server on NT: a directory tree of the machine's own, by the system's native routines, which a driver and a
 * program know by the same names.
 */
#include "driver.h"

#include <ntrxdef.h>

#define TAG_COMPARE 'mCxR'
#define COMPARE_BYTES (4 * PAGE_SIZE)
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

/* The plain read of a file: what a compare's HANDLE points to. */
typedef struct _PLAIN_READ {
    HANDLE File;
    UCHAR Bytes[COMPARE_BYTES];
} PLAIN_READ, *PPLAIN_READ;

/* --- opening ------------------------------------------------------------------------------------------- */

static NTSTATUS OpenName(HANDLE Directory, PCUNICODE_STRING Name, PHANDLE File) {
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Io;

    InitializeObjectAttributes(&Attributes, (PUNICODE_STRING)(ULONG_PTR)Name, OBJ_KERNEL_HANDLE,
                               Directory, NULL);
    return ZwCreateFile(File, GENERIC_READ | SYNCHRONIZE, &Attributes, &Io, NULL, 0, SHARE_ALL,
                        FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_REPARSE_POINT, NULL, 0);
}

static VOID HostClose(PVOID Context, HANDLE File) {
    UNREFERENCED_PARAMETER(Context);
    ZwClose(File);
}

static NTSTATUS HostOpen(PVOID Context, HANDLE Directory, PCUNICODE_STRING Name, PHANDLE File,
                         PHOST_FILE_INFO Info) {
    PNT_HOST Host = Context;
    FILE_STANDARD_INFORMATION Standard;
    IO_STATUS_BLOCK Io;
    NTSTATUS Status = OpenName(Directory != NULL ? Directory : Host->Root, Name, File);

    if (!NT_SUCCESS(Status))
        return Status;
    Status =
        ZwQueryInformationFile(*File, &Io, &Standard, sizeof(Standard), FileStandardInformation);
    if (!NT_SUCCESS(Status)) {
        ZwClose(*File);
        return Status;
    }
    Info->Directory = Standard.Directory;
    Info->EndOfFile = Standard.Directory ? 0 : Standard.EndOfFile.QuadPart;
    return STATUS_SUCCESS;
}

/* --- directories --------------------------------------------------------------------------------------- */

static ULONG KindOf(ULONG FileAttributes) {
    if (FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT)
        return HostEntryLink;
    return FileAttributes & FILE_ATTRIBUTE_DIRECTORY ? HostEntryDirectory : HostEntryFile;
}

static BOOLEAN IsDots(PFILE_DIRECTORY_INFORMATION Entry) {
    ULONG Characters = Entry->FileNameLength / sizeof(WCHAR);

    return Entry->FileName[0] == '.' &&
           (Characters == 1 || (Characters == 2 && Entry->FileName[1] == '.'));
}

/* Makes HOST_DIRECTORY_ENTRYs of what the system gave, in place: each is smaller. FALSE when none is left. */
static BOOLEAN ConvertEntries(PVOID Buffer) {
    PFILE_DIRECTORY_INFORMATION From = Buffer;
    PHOST_DIRECTORY_ENTRY Last = NULL;
    PUCHAR To = Buffer;
    ULONG Next;

    do {
        Next = From->NextEntryOffset;
        if (!IsDots(From)) {
            PHOST_DIRECTORY_ENTRY Entry = (PHOST_DIRECTORY_ENTRY)To;
            ULONG Kind = KindOf(From->FileAttributes), Length = From->FileNameLength;

            Entry->NextEntryOffset = 0;
            Entry->Kind = Kind;
            Entry->NameLength = Length;
            RtlMoveMemory(Entry->Name, From->FileName, Length);
            if (Last != NULL)
                Last->NextEntryOffset = (ULONG)(To - (PUCHAR)Last);
            Last = Entry;
            To += (FIELD_OFFSET(HOST_DIRECTORY_ENTRY, Name) + Length + 7) & ~(ULONG)7;
        }
        From = (PFILE_DIRECTORY_INFORMATION)((PUCHAR)From + Next);
    } while (Next != 0);
    return Last != NULL;
}

static NTSTATUS HostQueryDirectory(PVOID Context, HANDLE Directory, PVOID Buffer, ULONG Length) {
    IO_STATUS_BLOCK Io;
    NTSTATUS Status;

    UNREFERENCED_PARAMETER(Context);
    do
        Status = ZwQueryDirectoryFile(Directory, NULL, NULL, NULL, &Io, Buffer, Length,
                                      FileDirectoryInformation, FALSE, NULL, FALSE);
    while (NT_SUCCESS(Status) && !ConvertEntries(Buffer));
    return Status;
}

/* --- reading and comparing ------------------------------------------------------------------------------ */

static NTSTATUS HostRead(PVOID Context, HANDLE File, LONGLONG Offset, PVOID Buffer, ULONG Length,
                         PULONG BytesRead) {
    LARGE_INTEGER At;
    IO_STATUS_BLOCK Io;

    UNREFERENCED_PARAMETER(Context);
    At.QuadPart = Offset;
    NTSTATUS Status = ZwReadFile(File, NULL, NULL, NULL, &Io, Buffer, Length, &At, NULL);
    *BytesRead = NT_SUCCESS(Status) ? (ULONG)Io.Information : 0;
    return Status;
}

static NTSTATUS HostBeginCompare(PVOID Context, PCUNICODE_STRING Name, PHANDLE Compare) {
    PPLAIN_READ Plain = RxAllocatePoolWithTag(PagedPool, sizeof(*Plain), TAG_COMPARE);

    if (Plain == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS Status = OpenName(((PNT_HOST)Context)->Root, Name, &Plain->File);
    if (!NT_SUCCESS(Status))
        RxFreePool(Plain);
    else
        *Compare = Plain;
    return Status;
}

/* Reads where the last read ended. */
static BOOLEAN HostCompare(PVOID Context, HANDLE Compare, const VOID *Buffer, ULONG Length) {
    PPLAIN_READ Plain = Compare;
    const UCHAR *Expected = Buffer;
    BOOLEAN AtEnd = Length == 0;
    IO_STATUS_BLOCK Io;

    UNREFERENCED_PARAMETER(Context);
    do {
        ULONG Want = AtEnd ? 1 : Length < COMPARE_BYTES ? Length : COMPARE_BYTES;
        NTSTATUS Status =
            ZwReadFile(Plain->File, NULL, NULL, NULL, &Io, Plain->Bytes, Want, NULL, NULL);

        if (AtEnd)
            return Status == STATUS_END_OF_FILE;
        if (!NT_SUCCESS(Status) || Io.Information == 0 ||
            !RtlEqualMemory(Plain->Bytes, Expected, Io.Information))
            return FALSE;
        Expected += Io.Information;
        Length -= (ULONG)Io.Information;
    } while (Length != 0);
    return TRUE;
}

static BOOLEAN HostEndCompare(PVOID Context, HANDLE Compare, HANDLE File) {
    PPLAIN_READ Plain = Compare;
    FILE_BASIC_INFORMATION One, Other;
    IO_STATUS_BLOCK Io;
    NTSTATUS Status = ZwQueryInformationFile(File, &Io, &One, sizeof(One), FileBasicInformation);

    UNREFERENCED_PARAMETER(Context);
    if (NT_SUCCESS(Status))
        Status =
            ZwQueryInformationFile(Plain->File, &Io, &Other, sizeof(Other), FileBasicInformation);
    ZwClose(Plain->File);
    RxFreePool(Plain);
    return !NT_SUCCESS(Status) || One.LastWriteTime.QuadPart != Other.LastWriteTime.QuadPart;
}

/* --- threads ------------------------------------------------------------------------------------------------ */

#define THREADS_MOST 16

typedef struct _START {
    PHOST_THREAD_ROUTINE Routine;
    PVOID Parameter;
} START, *PSTART;

static VOID NTAPI ThreadMain(PVOID Argument) {
    PSTART Start = Argument;

    Start->Routine(Start->Parameter);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static NTSTATUS HostRunThreads(PVOID Context, ULONG Count, PHOST_THREAD_ROUTINE Routine,
                               PVOID Parameter) {
    START Start = {Routine, Parameter};
    HANDLE Threads[THREADS_MOST];
    ULONG Running = 0;
    NTSTATUS Status = STATUS_SUCCESS;

    UNREFERENCED_PARAMETER(Context);
    while (Running < Count && Running < THREADS_MOST && NT_SUCCESS(Status)) {
        Status = PsCreateSystemThread(&Threads[Running], SYNCHRONIZE, NULL, NULL, NULL, ThreadMain,
                                      &Start);
        Running += NT_SUCCESS(Status);
    }
    for (ULONG i = 0; i < Running; i++)
        HostWaitForThread(Threads[i]);
    return Running != 0 ? STATUS_SUCCESS : Status;
}

/* --- the host ------------------------------------------------------------------------------------------------ */

NTSTATUS NtHostOpen(PNT_HOST Host, PUNICODE_STRING Directory) {
    RtlZeroMemory(Host, sizeof(*Host));
    Host->Host.Context = Host;
    Host->Host.Open = HostOpen;
    Host->Host.QueryDirectory = HostQueryDirectory;
    Host->Host.Read = HostRead;
    Host->Host.Close = HostClose;
    Host->Host.BeginCompare = HostBeginCompare;
    Host->Host.Compare = HostCompare;
    Host->Host.EndCompare = HostEndCompare;
    Host->Host.RunThreads = HostRunThreads;
    Host->Host.Report = HostReport;
    RtlInitUnicodeString(&Host->Host.ServerName, L"\\localhost");
    RtlInitUnicodeString(&Host->Host.ShareName, L"\\localhost\\tree");
    return OpenName(NULL, Directory, &Host->Root);
}

VOID NtHostClose(PNT_HOST Host) {
    ZwClose(Host->Root);
}
