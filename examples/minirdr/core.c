/* Loading, running and unloading: the device and its lookaside lists. */
#include "core.h"

VOID MiniCheckBlock(PMINIRDR_DEVICE Device, PVOID Block) {
    UNREFERENCED_PARAMETER(Block); /* the free build's check does not look at it */
    if (!RxCheckMemoryBlock(Block))
        InterlockedIncrement64(&Device->Statistics->DamagedBlocks);
}

/* LOOKASIDE_LIST_EX hands its list to its functions too. */
static PVOID NTAPI AllocateWorkItem(POOL_TYPE Type, SIZE_T Bytes, ULONG Tag,
                                    PLOOKASIDE_LIST_EX Lookaside) {
    UNREFERENCED_PARAMETER(Lookaside);
    return RxAllocatePoolWithTag(Type, Bytes, Tag);
}

static VOID NTAPI FreeWorkItem(PVOID Block, PLOOKASIDE_LIST_EX Lookaside) {
    UNREFERENCED_PARAMETER(Lookaside);
    RxFreePool(Block);
}

/* The bare names are the functions behind the macros: lists get their blocks by them. */
static NTSTATUS InitializeLists(PMINIRDR_DEVICE Device) {
    NTSTATUS Status =
        ExInitializeLookasideListEx(&Device->WorkItemList, AllocateWorkItem, FreeWorkItem,
                                    NonPagedPool, 0, sizeof(WORK_ITEM), TAG_WORK_QUEUE, 0);

    if (!NT_SUCCESS(Status))
        return Status;
    ExInitializeNPagedLookasideList(&Device->ContextList, RxAllocatePoolWithTag, RxFreePool, 0,
                                    sizeof(RX_CONTEXT), TAG_CONTEXT, 0);
    ExInitializeNPagedLookasideList(&Device->NonPagedFcbList, RxAllocatePoolWithTag, RxFreePool, 0,
                                    sizeof(NON_PAGED_FCB), TAG_NON_PAGED_FCB, 0);
    ExInitializePagedLookasideList(&Device->FcbList, RxAllocatePoolWithTag, RxFreePool, 0,
                                   sizeof(FCB), TAG_FCB, 0);
    ExInitializePagedLookasideList(&Device->FobxList, RxAllocatePoolWithTag, RxFreePool, 0,
                                   sizeof(FOBX), TAG_FOBX, 0);
    return STATUS_SUCCESS;
}

static VOID DeleteLists(PMINIRDR_DEVICE Device) {
    ExDeletePagedLookasideList(&Device->FobxList);
    ExDeletePagedLookasideList(&Device->FcbList);
    ExDeleteNPagedLookasideList(&Device->NonPagedFcbList);
    ExDeleteNPagedLookasideList(&Device->ContextList);
    ExDeleteLookasideListEx(&Device->WorkItemList);
}

/* Cache-aligned and nonpaged, as the lists in it must be. */
static NTSTATUS LoadDevice(PMINIRDR_HOST Host, PMINIRDR_STATISTICS Statistics,
                           PMINIRDR_DEVICE *Device) {
    PMINIRDR_DEVICE New = RxAllocatePoolWithTag(NonPagedPoolCacheAligned, sizeof(*New), TAG_MISC);
    NTSTATUS Status;

    if (New == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlZeroMemory(New, sizeof(*New));
    New->Host = Host;
    New->Statistics = Statistics;
    Status = InitializeLists(New);
    if (!NT_SUCCESS(Status)) {
        RxFreePool(New);
        return Status;
    }
    MiniInitializePrefixTable(&New->PrefixTable);
    MiniInitializeWorkQueue(&New->WorkQueue);
    *Device = New;
    return STATUS_SUCCESS;
}

static VOID UnloadDevice(PMINIRDR_DEVICE Device) {
    ExDeleteResourceLite(&Device->PrefixTable.Lock);
    DeleteLists(Device);
    RxFreePool(Device);
}

/* Queues the root and lets the workers do the rest. */
static NTSTATUS WalkShare(PMINIRDR_DEVICE Device, ULONG Threads) {
    PMINIRDR_HOST Host = Device->Host;
    NTSTATUS Status = MiniPostDirectory(Device, &Device->VNetRoot->Name, &MiniEmptyName);

    if (!NT_SUCCESS(Status))
        return Status;
    InterlockedIncrement64(&Device->Statistics->Directories);
    Status = Host->RunThreads(Host->Context, Threads, MiniWorker, Device);
    /* With no thread to be had, this one does the work that is queued. */
    if (!NT_SUCCESS(Status))
        MiniWorker(Device);
    return STATUS_SUCCESS;
}

NTSTATUS MinirdrRun(PMINIRDR_HOST Host, ULONG Threads, PMINIRDR_STATISTICS Statistics,
                    SIZE_T *Leaks) {
    PMINIRDR_DEVICE Device;
    NTSTATUS Status = LoadDevice(Host, Statistics, &Device);

    if (NT_SUCCESS(Status)) {
        Status = MiniConnect(Device);
        if (NT_SUCCESS(Status)) {
            Status = WalkShare(Device, Threads);
            MiniDisconnect(Device);
        }
        UnloadDevice(Device);
    }
    *Leaks = RxPoolUnload();
    return Status;
}
