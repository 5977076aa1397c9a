/*
 * The native routines of files, as Microsoft's pages have them, for user mode: rxpool's own headers stop short of the I/O
 * manager. Comes first (a forced include) in host_nt.c. Handles of files are the system's and closed by its NtClose, those of
 * threads are rxpool's.
 */
#ifndef MINIRDR_WINDOWS_IO_H
#define MINIRDR_WINDOWS_IO_H

#include <ntifs.h>

#define GENERIC_READ 0x80000000u
#define SYNCHRONIZE 0x00100000u
#define FILE_SHARE_READ 1u
#define FILE_SHARE_WRITE 2u
#define FILE_SHARE_DELETE 4u
#define FILE_OPEN 1u
#define FILE_SYNCHRONOUS_IO_NONALERT 0x20u
#define FILE_OPEN_REPARSE_POINT 0x200000u
#define FILE_ATTRIBUTE_DIRECTORY 0x10u
#define FILE_ATTRIBUTE_REPARSE_POINT 0x400u

typedef struct _IO_STATUS_BLOCK {
    union {
        NTSTATUS Status;
        PVOID Pointer;
    };
    ULONG_PTR Information;
} IO_STATUS_BLOCK, *PIO_STATUS_BLOCK;

typedef enum _FILE_INFORMATION_CLASS {
    FileDirectoryInformation = 1,
    FileBasicInformation = 4,
    FileStandardInformation = 5
} FILE_INFORMATION_CLASS;

typedef struct _FILE_DIRECTORY_INFORMATION {
    ULONG NextEntryOffset;
    ULONG FileIndex;
    LARGE_INTEGER CreationTime;
    LARGE_INTEGER LastAccessTime;
    LARGE_INTEGER LastWriteTime;
    LARGE_INTEGER ChangeTime;
    LARGE_INTEGER EndOfFile;
    LARGE_INTEGER AllocationSize;
    ULONG FileAttributes;
    ULONG FileNameLength;
    WCHAR FileName[1];
} FILE_DIRECTORY_INFORMATION, *PFILE_DIRECTORY_INFORMATION;

typedef struct _FILE_BASIC_INFORMATION {
    LARGE_INTEGER CreationTime;
    LARGE_INTEGER LastAccessTime;
    LARGE_INTEGER LastWriteTime;
    LARGE_INTEGER ChangeTime;
    ULONG FileAttributes;
} FILE_BASIC_INFORMATION;

typedef struct _FILE_STANDARD_INFORMATION {
    LARGE_INTEGER AllocationSize;
    LARGE_INTEGER EndOfFile;
    ULONG NumberOfLinks;
    BOOLEAN DeletePending;
    BOOLEAN Directory;
} FILE_STANDARD_INFORMATION;

NTSTATUS NTAPI NtCreateFile(PHANDLE File, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes,
                            PIO_STATUS_BLOCK Io, PLARGE_INTEGER AllocationSize,
                            ULONG FileAttributes, ULONG Share, ULONG Disposition, ULONG Options,
                            PVOID EaBuffer, ULONG EaLength);
NTSTATUS NTAPI NtQueryInformationFile(HANDLE File, PIO_STATUS_BLOCK Io, PVOID Information,
                                      ULONG Length, FILE_INFORMATION_CLASS Class);
NTSTATUS NTAPI NtQueryDirectoryFile(HANDLE File, HANDLE Event, PVOID Routine, PVOID Context,
                                    PIO_STATUS_BLOCK Io, PVOID Information, ULONG Length,
                                    FILE_INFORMATION_CLASS Class, BOOLEAN Single,
                                    PUNICODE_STRING Name, BOOLEAN Restart);
NTSTATUS NTAPI NtReadFile(HANDLE File, HANDLE Event, PVOID Routine, PVOID Context,
                          PIO_STATUS_BLOCK Io, PVOID Buffer, ULONG Length, PLARGE_INTEGER Offset,
                          PULONG Key);
NTSTATUS NTAPI NtClose(HANDLE Handle);

#define ZwCreateFile NtCreateFile
#define ZwQueryInformationFile NtQueryInformationFile
#define ZwQueryDirectoryFile NtQueryDirectoryFile
#define ZwReadFile NtReadFile
#define ZwClose NtClose

#endif
