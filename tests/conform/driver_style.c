/*
 * A piece of a redirector, written as drivers are, against nothing but <ntifs.h> and ntrxdef.h. The
 * same file is compiled against rxpool's own headers and against the mingw-w64 kit's, in free and
 * checked builds, and runs on the library in each. Exit status 0 when all went well.
 */
#include "ntrxdef.h"
#include <ntifs.h>

#define FCB_TAG 0x62634652   /* 'bcFR' */
#define NAME_TAG 0x6D614E52  /* 'maNR' */
#define ENTRY_TAG 0x746E4552 /* 'tnER' */
#define FCBS 500
#define ENTRIES 200
#define WORKERS 3

typedef struct _FCB {
    LIST_ENTRY Links;
    UNICODE_STRING Name;
    ULONG Number;
    PERESOURCE Resource;
} FCB, *PFCB;

typedef struct _ENTRY {
    ULONG Number;
    UCHAR Payload[92];
} ENTRY, *PENTRY;

static LIST_ENTRY FcbList;
static FAST_MUTEX FcbMutex;
static KSPIN_LOCK CountLock;
static ULONG EntriesUsed;
static NPAGED_LOOKASIDE_LIST EntryList;
static PAGED_LOOKASIDE_LIST RxList;
static KEVENT AllDone;
static volatile LONG WorkersLeft;

typedef struct _WORK_CONTEXT {
    WORK_QUEUE_ITEM Item;
    ULONG Seed;
} WORK_CONTEXT, *PWORK_CONTEXT;

static NTSTATUS CreateFcb(ULONG Number) {
    PFCB fcb;

    PAGED_CODE();
    fcb = (PFCB)RxAllocatePoolWithTag(PagedPool | POOL_COLD_ALLOCATION, sizeof(FCB), FCB_TAG);
    if (fcb == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlZeroMemory(fcb, sizeof(FCB));
    fcb->Number = Number;
    fcb->Name.MaximumLength = (USHORT)(2 * (1 + Number % 100));
    fcb->Name.Buffer = (PWCH)RxAllocatePoolWithTag(PagedPool, fcb->Name.MaximumLength, NAME_TAG);
    fcb->Resource = (PERESOURCE)RxAllocatePoolWithTag(NonPagedPool, sizeof(ERESOURCE), FCB_TAG);
    if (fcb->Name.Buffer == NULL || fcb->Resource == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlFillMemory(fcb->Name.Buffer, fcb->Name.MaximumLength, (UCHAR)Number);
    ExInitializeResourceLite(fcb->Resource);
    ExAcquireFastMutex(&FcbMutex);
    InsertTailList(&FcbList, &fcb->Links);
    ExReleaseFastMutex(&FcbMutex);
    return STATUS_SUCCESS;
}

/* Answers how many there were. */
static ULONG DeleteFcbs(VOID) {
    ULONG count = 0;

    ExAcquireFastMutex(&FcbMutex);
    while (!IsListEmpty(&FcbList)) {
        PFCB fcb = CONTAINING_RECORD(RemoveHeadList(&FcbList), FCB, Links);

        ExDeleteResourceLite(fcb->Resource);
        RxFreePool(fcb->Resource);
        RxFreePoolWithTag(fcb->Name.Buffer, NAME_TAG);
        RxFreePool(fcb);
        count++;
    }
    ExReleaseFastMutex(&FcbMutex);
    return count;
}

static VOID NTAPI Worker(PVOID Parameter) {
    PWORK_CONTEXT context = (PWORK_CONTEXT)Parameter;
    PENTRY kept[8] = {NULL};
    ULONG i;
    KIRQL irql;

    for (i = 0; i < ENTRIES; i++) {
        PENTRY *slot = &kept[(i * 5 + context->Seed) % 8];

        if (*slot != NULL) {
            ASSERT((*slot)->Number < ENTRIES);
            ExFreeToNPagedLookasideList(&EntryList, *slot);
        }
        *slot = (PENTRY)ExAllocateFromNPagedLookasideList(&EntryList);
        if (*slot != NULL) {
            (*slot)->Number = i;
            RtlFillMemory((*slot)->Payload, sizeof((*slot)->Payload), 0x5A);
            KeAcquireSpinLock(&CountLock, &irql);
            EntriesUsed++;
            KeReleaseSpinLock(&CountLock, irql);
        }
    }
    for (i = 0; i < 8; i++) {
        if (kept[i] != NULL)
            ExFreeToNPagedLookasideList(&EntryList, kept[i]);
    }
    if (InterlockedDecrement(&WorkersLeft) == 0)
        KeSetEvent(&AllDone, IO_NO_INCREMENT, FALSE);
}

static NTSTATUS RunWorkers(VOID) {
    static WORK_CONTEXT contexts[WORKERS];
    LARGE_INTEGER timeout;
    ULONG i;

    WorkersLeft = WORKERS;
    for (i = 0; i < WORKERS; i++) {
        contexts[i].Seed = i;
        ExInitializeWorkItem(&contexts[i].Item, Worker, &contexts[i]);
        ExQueueWorkItem(&contexts[i].Item, DelayedWorkQueue);
    }
    timeout.QuadPart = -600000000;
    return KeWaitForSingleObject(&AllDone, Executive, KernelMode, FALSE, &timeout);
}

/* Bare names as functions, the kit's inline IRQL routines, blocks at DISPATCH_LEVEL. */
static NTSTATUS UseTheRest(VOID) {
    UNICODE_STRING name;
    KIRQL irql;
    PVOID block, copy;

    RtlInitUnicodeString(&name, NULL);
    ExInitializePagedLookasideList(&RxList, RxAllocatePoolWithTag, RxFreePool, 0, 64, ENTRY_TAG, 0);
    block = ExAllocateFromPagedLookasideList(&RxList);
    ExFreeToPagedLookasideList(&RxList, block);
    ExDeletePagedLookasideList(&RxList);

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    block = ExAllocatePool2(POOL_FLAG_NON_PAGED, 5000, ENTRY_TAG);
    copy = ExAllocatePoolZero(NonPagedPool, 100, ENTRY_TAG);
    KeLowerIrql(irql);
    if (block == NULL || copy == NULL || KeGetCurrentIrql() != PASSIVE_LEVEL ||
        ((ULONG_PTR)block & (PAGE_SIZE - 1)) != 0 || !RtlEqualMemory(block, copy, 100))
        return STATUS_UNSUCCESSFUL;
    ExFreePoolWithTag(block, ENTRY_TAG);
    ExFreePool(copy);
    return name.Length == 0 ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}

static NTSTATUS Run(VOID) {
    NTSTATUS status = STATUS_SUCCESS;
    ULONG i;

    InitializeListHead(&FcbList);
    ExInitializeFastMutex(&FcbMutex);
    KeInitializeSpinLock(&CountLock);
    KeInitializeEvent(&AllDone, NotificationEvent, FALSE);
    ExInitializeNPagedLookasideList(&EntryList, NULL, NULL, 0, sizeof(ENTRY), ENTRY_TAG, 0);
    for (i = 0; i < FCBS && NT_SUCCESS(status); i++)
        status = CreateFcb(i);
    if (NT_SUCCESS(status))
        status = RunWorkers();
    if (status == STATUS_SUCCESS)
        status = UseTheRest();
    if (DeleteFcbs() != FCBS || EntriesUsed != WORKERS * ENTRIES)
        status = STATUS_UNSUCCESSFUL;
    ExDeleteNPagedLookasideList(&EntryList);
    if (RxPoolUnload() != 0)
        status = STATUS_UNSUCCESSFUL;
    return status;
}

int main(void) {
    NTSTATUS status = Run();

    DbgPrint("driver_style: status 0x%08X, %u entries\n", (unsigned)status, (unsigned)EntriesUsed);
    return status == STATUS_SUCCESS ? 0 : 1;
}
