/* The work queue and the threads that serve it, as a driver keeps them under a spin lock. */
#include "core.h"

VOID MiniInitializeWorkQueue(PWORK_QUEUE Queue) {
    KeInitializeSpinLock(&Queue->Lock);
    InitializeListHead(&Queue->Items);
    Queue->Depth = 0;
    Queue->Outstanding = 0;
    KeInitializeEvent(&Queue->Available, SynchronizationEvent, FALSE);
}

NTSTATUS MiniPostWork(PMINIRDR_DEVICE Device, PWORK_ROUTINE Routine, PRX_CONTEXT Context) {
    PWORK_QUEUE Queue = &Device->WorkQueue;
    PWORK_ITEM Item = ExAllocateFromLookasideListEx(&Device->WorkItemList);
    KIRQL OldIrql;

    if (Item == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    Item->Routine = Routine;
    Item->Context = Context;
    KeAcquireSpinLock(&Queue->Lock, &OldIrql);
    InsertHeadList(&Queue->Items, &Item->Links);
    Queue->Depth++;
    Queue->Outstanding++;
    KeReleaseSpinLock(&Queue->Lock, OldIrql);
    KeSetEvent(&Queue->Available, IO_NO_INCREMENT, FALSE);
    InterlockedIncrement64(&Device->Statistics->WorkItems);
    return STATUS_SUCCESS;
}

ULONG MiniQueueDepth(PWORK_QUEUE Queue) {
    KIRQL OldIrql;
    ULONG Depth;

    KeAcquireSpinLock(&Queue->Lock, &OldIrql);
    Depth = Queue->Depth;
    KeReleaseSpinLock(&Queue->Lock, OldIrql);
    return Depth;
}

/* The newest item, or NULL; whether another worker should wake: for an item, or because all is done. */
static PWORK_ITEM TakeWork(PWORK_QUEUE Queue, PBOOLEAN Done, PBOOLEAN WakeAnother) {
    PWORK_ITEM Item = NULL;
    KIRQL OldIrql;

    KeAcquireSpinLock(&Queue->Lock, &OldIrql);
    if (!IsListEmpty(&Queue->Items)) {
        Item = CONTAINING_RECORD(RemoveHeadList(&Queue->Items), WORK_ITEM, Links);
        Queue->Depth--;
    }
    *Done = Queue->Outstanding == 0;
    *WakeAnother = *Done || Queue->Depth != 0;
    KeReleaseSpinLock(&Queue->Lock, OldIrql);
    return Item;
}

static VOID FinishWork(PWORK_QUEUE Queue) {
    KIRQL OldIrql;

    KeAcquireSpinLock(&Queue->Lock, &OldIrql);
    Queue->Outstanding--;
    KeReleaseSpinLock(&Queue->Lock, OldIrql);
}

VOID MiniWorker(PVOID Parameter) {
    PMINIRDR_DEVICE Device = Parameter;
    PWORK_QUEUE Queue = &Device->WorkQueue;
    BOOLEAN Done, WakeAnother;

    for (;;) {
        PWORK_ITEM Item = TakeWork(Queue, &Done, &WakeAnother);

        if (WakeAnother)
            KeSetEvent(&Queue->Available, IO_NO_INCREMENT, FALSE);
        if (Done)
            return;
        if (Item == NULL) {
            KeWaitForSingleObject(&Queue->Available, Executive, KernelMode, FALSE, NULL);
            continue;
        }
        Item->Routine(Item->Context);
        ExFreeToLookasideListEx(&Device->WorkItemList, Item);
        FinishWork(Queue);
    }
}
