/*
 * misuse.sys: commits the misuse that the service parameter Case names, "NAME 1 OPTIONS", or its correct
 * twin, "NAME 0 OPTIONS", and writes what was reported to the log. The cases are the programs of
 * tests/misuse/cases, linked in under names of their own (cases.h, made by the build).
 *
 * Case "all" is the self-test: every case that can be one of many, each with its twin, and one line that says
 * how many were reported as they should be.
 */
#include <ntifs.h>
#include <ntrxdef.h>

#include "journal.h"

#define CASE(name, options)                                                                        \
    int name##_0(void);                                                                            \
    int name##_1(void);
#include "cases.h"
#undef CASE

static const struct {
    const CHAR *Name;
    const CHAR *Options;
    int (*Run[2])(void); /* the twin, the misuse */
} Cases[] = {
#define CASE(name, options) {#name, options, {name##_0, name##_1}},
#include "cases.h"
#undef CASE
};

static BOOLEAN SameName(const CHAR *Name, const CHAR *Text) {
    while (*Name != '\0' && *Name == *Text) {
        Name++;
        Text++;
    }
    return *Name == '\0' && (*Text == ' ' || *Text == '\0');
}

/* What follows the next blank. */
static const CHAR *Rest(const CHAR *Text) {
    while (*Text != '\0' && *Text != ' ')
        Text++;
    return *Text == ' ' ? Text + 1 : Text;
}

/* The reports of a case that is over, counted and thrown away. */
static ULONG CountReports(VOID) {
    static CHAR Text[4096];
    ULONG Count = 0;
    SIZE_T Bytes;

    RxCheckAllMemoryBlocks(); /* what waits in the quarantine is looked at */
    while ((Bytes = RxPoolReadReports(Text, sizeof(Text), NULL)) != 0) {
        for (SIZE_T i = 0; i + 4 < Bytes; i++)
            Count += Text[i] == '*' && Text[i + 1] == '*' && Text[i + 3] == ' ';
    }
    return Count;
}

/* Whether a case can be one of many: it needs no option, and does not unload, which tells of all others. */
static BOOLEAN IsOfMany(const CHAR *Name, const CHAR *Options) {
    static const CHAR Unload[] = "unload";

    if (Options[0] != '\0')
        return FALSE;
    for (; *Name != '\0'; Name++) {
        if (SameName(Unload, Name))
            return FALSE;
    }
    return TRUE;
}

static VOID SelfTest(VOID) {
    ULONG Good = 0, Tried = 0;

    for (ULONG i = 0; i < RTL_NUMBER_OF(Cases); i++) {
        if (!IsOfMany(Cases[i].Name, Cases[i].Options))
            continue;
        Tried++;
        ULONG Before = CountReports(); /* blocks that an earlier case has left damaged */
        int Answer = Cases[i].Run[0]();
        ULONG Twin = CountReports() - Before;
        Cases[i].Run[1]();
        ULONG Misuse = CountReports() - Before;
        if (Answer == 0 && Twin == 0 && Misuse != 0)
            Good++;
        else
            JournalPrint("self-test: %s: twin answered %d with %lu reports, misuse had %lu\n",
                         Cases[i].Name, Answer, Twin, Misuse);
    }
    JournalPrint("self-test: %s: %lu of %lu misuses reported, their twins silent\n",
                 Good == Tried ? "passed" : "FAILED", Good, Tried);
}

static NTSTATUS RunCase(const CHAR *Text) {
    const CHAR *Which = Rest(Text);

    for (ULONG i = 0; i < RTL_NUMBER_OF(Cases); i++) {
        if (!SameName(Cases[i].Name, Text))
            continue;
        JournalPrint("== %s %c\n", Cases[i].Name, *Which);
        JournalPrint("answer: %d\n", Cases[i].Run[*Which == '1']());
        return STATUS_SUCCESS;
    }
    JournalPrint("== no such case: %s\n", Text);
    return STATUS_INVALID_PARAMETER;
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver) {
    UNREFERENCED_PARAMETER(Driver);
    RxPoolUnload();
    JournalReports();
    JournalPrint("== unloaded\n");
    JournalClose();
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath);
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath) {
    NTSTATUS Status = JournalOpen(RegistryPath);
    const CHAR *Text = JournalCase();

    if (!NT_SUCCESS(Status))
        return Status;
    Driver->DriverUnload = Unload;
    RxPoolConfigure(Rest(Rest(Text)));
    if (SameName("all", Text))
        SelfTest();
    else
        Status = RunCase(Text);
    JournalReports();
    if (!NT_SUCCESS(Status))
        JournalClose();
    return Status;
}
