/*
 * What the redirector asks of the system that it runs on: the "server" behind the network, threads,
 * and a second way to a file's bytes. NT types only, so that the core never sees what is behind.
 *
 * Names are UNICODE_STRINGs with `\` between components, relative to the share or to an open directory.
 * All calls: IRQL = PASSIVE_LEVEL, from any thread at once, unless said otherwise.
 */
#ifndef MINIRDR_HOST_H
#define MINIRDR_HOST_H

#include <ntifs.h>

/* What an open file was when it was opened. */
typedef struct _HOST_FILE_INFO {
    BOOLEAN Directory;
    LONGLONG EndOfFile; /* bytes */
} HOST_FILE_INFO, *PHOST_FILE_INFO;

typedef enum _HOST_ENTRY_KIND {
    HostEntryFile,
    HostEntryDirectory,
    HostEntryLink, /* a symbolic link: never followed */
    HostEntryOther /* sockets, fifos, devices */
} HOST_ENTRY_KIND;

/* One name of a directory, as QueryDirectory packs them: 8-byte aligned, chained by NextEntryOffset. */
typedef struct _HOST_DIRECTORY_ENTRY {
    ULONG NextEntryOffset; /* bytes from this entry to the next; 0 in the last */
    ULONG Kind;            /* HOST_ENTRY_KIND */
    ULONG NameLength;      /* bytes */
    WCHAR Name[1];         /* one component, not terminated */
} HOST_DIRECTORY_ENTRY, *PHOST_DIRECTORY_ENTRY;

/* What Report tells of a name. */
typedef enum _HOST_EVENT {
    HostEventUnreadable,  /* could not be opened, enumerated or read to its end: Status says why */
    HostEventSizeChanged, /* its bytes were more or fewer than its size when it was opened */
    HostEventChanged,     /* its bytes changed while they were read */
    HostEventDifferent /* its bytes are not those of the plain read, and nobody changed the file */
} HOST_EVENT;

typedef VOID (*PHOST_THREAD_ROUTINE)(PVOID Parameter);

typedef struct _MINIRDR_HOST {
    PVOID Context;             /* first argument of every call */
    UNICODE_STRING ServerName; /* `\server` */
    UNICODE_STRING ShareName;  /* `\server\share` */

    /*
     * Opens Name below the open Directory, or below the share's root where Directory is NULL; an empty
     * Name is the root. A last component that is a link, or no file and no directory, is refused.
     * STATUS_SUCCESS with *File and *Info; else an error status.
     */
    NTSTATUS(*Open)
    (PVOID Context, HANDLE Directory, PCUNICODE_STRING Name, PHANDLE File, PHOST_FILE_INFO Info);
    /*
     * Fills Buffer, 8-byte aligned, with the next entries of a directory, without `.` and `..`; goes on
     * where the last call ended. STATUS_NO_MORE_FILES at the end, STATUS_BUFFER_OVERFLOW where not one
     * entry fits. One thread at a time for one handle.
     */
    NTSTATUS (*QueryDirectory)(PVOID Context, HANDLE Directory, PVOID Buffer, ULONG Length);
    /* Reads up to Length bytes at Offset. STATUS_END_OF_FILE where there are none. */
    NTSTATUS(*Read)
    (PVOID Context, HANDLE File, LONGLONG Offset, PVOID Buffer, ULONG Length, PULONG BytesRead);
    VOID (*Close)(PVOID Context, HANDLE File);

    /*
     * The second way: opens the same file by its name below the share, and compares its bytes, in
     * order, with those in Buffer. TRUE while they are the same; Length 0 asks whether the plain read
     * is at the file's end too. EndCompare answers whether the file behind File changed since it was
     * opened, or is another one than the plain read's.
     */
    NTSTATUS (*BeginCompare)(PVOID Context, PCUNICODE_STRING Name, PHANDLE Compare);
    BOOLEAN (*Compare)(PVOID Context, HANDLE Compare, const VOID *Buffer, ULONG Length);
    BOOLEAN (*EndCompare)(PVOID Context, HANDLE Compare, HANDLE File);

    /* Runs Routine(Parameter) on Count threads; returns when all of them have ended. At least one
     * runs, or an error status. */
    NTSTATUS(*RunThreads)
    (PVOID Context, ULONG Count, PHOST_THREAD_ROUTINE Routine, PVOID Parameter);
    /* Tells of a name below the share. */
    VOID (*Report)(PVOID Context, HOST_EVENT Event, PCUNICODE_STRING Name, NTSTATUS Status);
} MINIRDR_HOST, *PMINIRDR_HOST;

#endif
