/*
 * A driver's parameters and its log, as small drivers keep them: the values Case and Log of the
 * service's key, and a file that every line is appended to. One thread at a time, PASSIVE_LEVEL.
 */
#ifndef MINIRDR_JOURNAL_H
#define MINIRDR_JOURNAL_H

#include <ntifs.h>

#define JOURNAL_CASE_BYTES 256

/* Reads the parameters and opens the log, a path such as C:\driver.log. */
NTSTATUS JournalOpen(PUNICODE_STRING RegistryPath);
/* The value Case; empty where there is none. */
const CHAR *JournalCase(VOID);
/* Appends text of at most 400 bytes, formatted as DbgPrint does. */
VOID JournalPrint(const CHAR *Format, ...) __attribute__((format(printf, 1, 2)));
/* Appends what the checked build has reported since the last call. */
VOID JournalReports(VOID);
VOID JournalClose(VOID);

#endif
