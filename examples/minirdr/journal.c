/* A driver's parameters and its log: see journal.h. */
#include "journal.h"

#include <ntrxdef.h>
#include <stdarg.h>

#define PATH_CHARACTERS 260
#define TEXT_BYTES 400

/* The kernel's; few kits declare it. */
int __cdecl _vsnprintf(char *buffer, size_t count, const char *format, va_list arguments);

static HANDLE Log;
static CHAR Case[JOURNAL_CASE_BYTES];

/* The string of a value, as much of it as fits. */
static NTSTATUS ReadValue(HANDLE Key, PCWSTR Name, PWSTR Value, ULONG Characters) {
    static union {
        KEY_VALUE_PARTIAL_INFORMATION Information;
        UCHAR Bytes[sizeof(KEY_VALUE_PARTIAL_INFORMATION) + PATH_CHARACTERS * sizeof(WCHAR)];
    } Buffer;
    UNICODE_STRING String;
    ULONG Length;

    RtlInitUnicodeString(&String, Name);
    NTSTATUS Status =
        ZwQueryValueKey(Key, &String, KeyValuePartialInformation, &Buffer, sizeof(Buffer), &Length);
    if (!NT_SUCCESS(Status))
        return Status;
    ULONG Count = Buffer.Information.DataLength / sizeof(WCHAR);
    if (Count >= Characters)
        Count = Characters - 1;
    RtlCopyMemory(Value, Buffer.Information.Data, Count * sizeof(WCHAR));
    Value[Count] = 0;
    return STATUS_SUCCESS;
}

static NTSTATUS OpenLog(PCWSTR Path) {
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Io;

    RtlInitUnicodeString(&Name, Path);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL,
                               NULL);
    return ZwCreateFile(&Log, FILE_APPEND_DATA | SYNCHRONIZE, &Attributes, &Io, NULL,
                        FILE_ATTRIBUTE_NORMAL, FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_OPEN_IF,
                        FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
}

static NTSTATUS ReadParameters(HANDLE Key) {
    static const WCHAR Prefix[] = {'\\', '?', '?', '\\'};
    static WCHAR Path[PATH_CHARACTERS], Text[JOURNAL_CASE_BYTES];
    NTSTATUS Status = ReadValue(Key, L"Log", Path + RTL_NUMBER_OF(Prefix),
                                PATH_CHARACTERS - RTL_NUMBER_OF(Prefix));

    if (!NT_SUCCESS(Status))
        return Status;
    RtlCopyMemory(Path, Prefix, sizeof(Prefix));
    if (NT_SUCCESS(ReadValue(Key, L"Case", Text, JOURNAL_CASE_BYTES))) {
        for (ULONG i = 0; i < JOURNAL_CASE_BYTES; i++)
            Case[i] = (CHAR)Text[i];
    }
    return OpenLog(Path);
}

NTSTATUS JournalOpen(PUNICODE_STRING RegistryPath) {
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Key;

    InitializeObjectAttributes(&Attributes, RegistryPath, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE,
                               NULL, NULL);
    NTSTATUS Status = ZwOpenKey(&Key, KEY_READ, &Attributes);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = ReadParameters(Key);
    ZwClose(Key);
    return Status;
}

const CHAR *JournalCase(VOID) {
    return Case;
}

static VOID Append(const VOID *Text, SIZE_T Bytes) {
    IO_STATUS_BLOCK Io;

    ZwWriteFile(Log, NULL, NULL, NULL, &Io, (PVOID)(ULONG_PTR)Text, (ULONG)Bytes, NULL, NULL);
}

VOID JournalPrint(const CHAR *Format, ...) {
    CHAR Text[TEXT_BYTES];
    va_list Arguments;

    va_start(Arguments, Format);
    int Length = _vsnprintf(Text, sizeof(Text), Format, Arguments);
    va_end(Arguments);
    Append(Text, Length < 0 || Length >= TEXT_BYTES ? TEXT_BYTES : (SIZE_T)Length);
}

VOID JournalReports(VOID) {
    static CHAR Text[4096];
    ULONG Dropped = 0;
    SIZE_T Bytes;

    while ((Bytes = RxPoolReadReports(Text, sizeof(Text), &Dropped)) != 0) {
        Append(Text, Bytes);
        if (Dropped != 0)
            JournalPrint("%lu reports found no room\n", Dropped);
    }
}

VOID JournalClose(VOID) {
    ZwClose(Log);
}
