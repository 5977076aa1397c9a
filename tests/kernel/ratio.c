/*
 * ratio.sys: what the checked build costs in a driver. Writes to the log how long pairs of an allocation and a
 * free take, plain and checked, in rounds that take turns, and how many bytes of registry a block has. Case is its options.
 */
#include <ntifs.h>

#define RXPOOL_CHECKED 1
#include <ntrxdef.h>

#include "check/registry.h"
#include "journal.h"

#define ROUNDS 5
#define PAIRS 20000
#define LIVE 100000

static PVOID Blocks[LIVE];

static ULONGLONG Now(VOID) {
    LARGE_INTEGER Frequency;
    LARGE_INTEGER Count = KeQueryPerformanceCounter(&Frequency);

    return (ULONGLONG)Count.QuadPart * 1000000 / (ULONGLONG)Frequency.QuadPart;
}

static ULONGLONG TimePlain(SIZE_T Bytes) {
    ULONGLONG From = Now();

    for (ULONG i = 0; i < PAIRS; i++)
        ExFreePool(ExAllocatePoolWithTag(NonPagedPool, Bytes, 'taRR'));
    return Now() - From;
}

static ULONGLONG TimeChecked(SIZE_T Bytes) {
    ULONGLONG From = Now();

    for (ULONG i = 0; i < PAIRS; i++)
        RxFreePool(RxAllocatePoolWithTag(NonPagedPool, Bytes, 'taRR'));
    return Now() - From;
}

/* The best of the rounds of each, in nanoseconds a pair. */
static VOID Compare(SIZE_T Bytes) {
    ULONGLONG Plain = ~0ULL, Checked = ~0ULL;

    for (ULONG i = 0; i < ROUNDS; i++) {
        ULONGLONG One = TimePlain(Bytes), Other = TimeChecked(Bytes);

        Plain = One < Plain ? One : Plain;
        Checked = Other < Checked ? Other : Checked;
    }
    Plain = Plain != 0 ? Plain : 1;
    JournalPrint("%I64u bytes: plain %I64u ns, checked %I64u ns, ratio %I64u.%I64u\n",
                 (ULONGLONG)Bytes, Plain * 1000 / PAIRS, Checked * 1000 / PAIRS, Checked / Plain,
                 Checked * 10 / Plain % 10);
}

static VOID MeasureRegistry(VOID) {
    ULONGLONG Before = registry_bytes();
    ULONG Count = 0;

    while (Count < LIVE &&
           (Blocks[Count] = RxAllocatePoolWithTag(NonPagedPool, 32, 'taRR')) != NULL)
        Count++;
    JournalPrint("registry: %I64u bytes a block, of %lu blocks\n",
                 (registry_bytes() - Before) / (Count != 0 ? Count : 1), Count);
    while (Count > 0)
        RxFreePool(Blocks[--Count]);
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver) {
    SIZE_T Leaks = RxPoolUnload();

    UNREFERENCED_PARAMETER(Driver);
    JournalPrint("leaks: %I64u; registry: %I64u bytes left\n", (ULONGLONG)Leaks, registry_bytes());
    JournalReports();
    JournalClose();
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath);
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath) {
    NTSTATUS Status = JournalOpen(RegistryPath);

    if (!NT_SUCCESS(Status))
        return Status;
    Driver->DriverUnload = Unload;
    RxPoolConfigure(JournalCase());
    Compare(64);
    Compare(1000);
    MeasureRegistry();
    JournalReports();
    return STATUS_SUCCESS;
}
