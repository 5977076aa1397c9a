/* Opening and closing: the FCB table, FCBs and how long they stay, SRV_OPENs shared by FOBXs. */
#include "core.h"

/* --- FCBs -------------------------------------------------------------------------------------------- */

static VOID FinalizeFcb(PMINIRDR_DEVICE Device, PFCB Fcb) {
    ASSERT(Fcb->References == 0 && Fcb->SrvOpen == NULL);
    ExDeleteResourceLite(&Fcb->NonPaged->Resource);
    ExFreeToNPagedLookasideList(&Device->NonPagedFcbList, Fcb->NonPaged);
    RxFreePool(Fcb->Name.Buffer);
    ExFreeToPagedLookasideList(&Device->FcbList, Fcb);
}

/* An FCB with one reference, in no table. */
static NTSTATUS CreateFcb(PMINIRDR_DEVICE Device, PNET_ROOT NetRoot, PCUNICODE_STRING Name,
                          ULONG Hash, PFCB *Fcb) {
    PFCB New = ExAllocateFromPagedLookasideList(&Device->FcbList);
    NTSTATUS Status = STATUS_INSUFFICIENT_RESOURCES;

    if (New == NULL)
        return Status;
    New->NonPaged = ExAllocateFromNPagedLookasideList(&Device->NonPagedFcbList);
    if (New->NonPaged != NULL)
        Status = MiniJoinNames(&MiniEmptyName, Name, TAG_MISC, &New->Name);
    if (!NT_SUCCESS(Status)) {
        if (New->NonPaged != NULL)
            ExFreeToNPagedLookasideList(&Device->NonPagedFcbList, New->NonPaged);
        ExFreeToPagedLookasideList(&Device->FcbList, New);
        return Status;
    }
    ExInitializeResourceLite(&New->NonPaged->Resource);
    New->NetRoot = NetRoot;
    New->Hash = Hash;
    New->References = 1;
    New->SrvOpen = NULL;
    *Fcb = New;
    return STATUS_SUCCESS;
}

/* The table's FCB of that name with one reference more, or NULL. FcbTableLock is held. */
static PFCB FindFcb(PNET_ROOT NetRoot, PCUNICODE_STRING Name, ULONG Hash) {
    PLIST_ENTRY Bucket = &NetRoot->FcbBuckets[Hash % FCB_BUCKETS];
    PLIST_ENTRY Link;

    for (Link = Bucket->Flink; Link != Bucket; Link = Link->Flink) {
        PFCB Fcb = CONTAINING_RECORD(Link, FCB, TableLinks);

        if (Fcb->Hash != Hash || !MiniEqualNames(&Fcb->Name, Name))
            continue;
        ExAcquireFastMutex(&NetRoot->DormantLock);
        if (Fcb->References++ == 0) {
            RemoveEntryList(&Fcb->DormantLinks);
            NetRoot->DormantCount--;
        }
        ExReleaseFastMutex(&NetRoot->DormantLock);
        return Fcb;
    }
    return NULL;
}

/* The FCB of that name, found or made, with a reference for the caller. */
static NTSTATUS FindOrCreateFcb(PMINIRDR_DEVICE Device, PNET_ROOT NetRoot, PCUNICODE_STRING Name,
                                PFCB *Fcb) {
    ULONG Hash = MiniHashName(Name);
    NTSTATUS Status = STATUS_SUCCESS;

    KeEnterCriticalRegion();
    ExAcquireResourceSharedLite(&NetRoot->FcbTableLock, TRUE);
    *Fcb = FindFcb(NetRoot, Name, Hash);
    ExReleaseResourceLite(&NetRoot->FcbTableLock);
    if (*Fcb == NULL) {
        ExAcquireResourceExclusiveLite(&NetRoot->FcbTableLock, TRUE);
        /* Another thread may have made it between the two locks. */
        *Fcb = FindFcb(NetRoot, Name, Hash);
        if (*Fcb == NULL) {
            Status = CreateFcb(Device, NetRoot, Name, Hash, Fcb);
            if (NT_SUCCESS(Status))
                InsertHeadList(&NetRoot->FcbBuckets[Hash % FCB_BUCKETS], &(*Fcb)->TableLinks);
        }
        ExReleaseResourceLite(&NetRoot->FcbTableLock);
    }
    KeLeaveCriticalRegion();
    return Status;
}

/* The oldest dormant FCB, out of list and table, while there are more than Keep; else NULL. */
static PFCB TakeDormantFcb(PNET_ROOT NetRoot, ULONG Keep) {
    PFCB Fcb = NULL;

    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(&NetRoot->FcbTableLock, TRUE);
    ExAcquireFastMutex(&NetRoot->DormantLock);
    if (NetRoot->DormantCount > Keep) {
        Fcb = CONTAINING_RECORD(RemoveHeadList(&NetRoot->Dormant), FCB, DormantLinks);
        NetRoot->DormantCount--;
        RemoveEntryList(&Fcb->TableLinks);
    }
    ExReleaseFastMutex(&NetRoot->DormantLock);
    ExReleaseResourceLite(&NetRoot->FcbTableLock);
    KeLeaveCriticalRegion();
    return Fcb;
}

VOID MiniTrimDormantFcbs(PMINIRDR_DEVICE Device, PNET_ROOT NetRoot, ULONG Keep) {
    PFCB Fcb;

    PAGED_CODE();
    while ((Fcb = TakeDormantFcb(NetRoot, Keep)) != NULL)
        FinalizeFcb(Device, Fcb);
}

/* After this the FCB is not the caller's to touch: whoever trims may have it already. */
static VOID DereferenceFcb(PMINIRDR_DEVICE Device, PFCB Fcb) {
    PNET_ROOT NetRoot = Fcb->NetRoot;
    BOOLEAN Trim;

    ExAcquireFastMutex(&NetRoot->DormantLock);
    if (--Fcb->References == 0) {
        InsertTailList(&NetRoot->Dormant, &Fcb->DormantLinks);
        NetRoot->DormantCount++;
    }
    Trim = NetRoot->DormantCount > DORMANT_FCBS;
    ExReleaseFastMutex(&NetRoot->DormantLock);
    if (Trim)
        MiniTrimDormantFcbs(Device, NetRoot, DORMANT_FCBS);
}

/* --- SRV_OPENs ----------------------------------------------------------------------------------------- */

/* The last component of a name: what the server is asked for below an open directory. */
static UNICODE_STRING LastComponent(PCUNICODE_STRING Name) {
    ULONG Start = Name->Length / sizeof(WCHAR);
    UNICODE_STRING Last;

    while (Start != 0 && Name->Buffer[Start - 1] != '\\')
        Start--;
    Last.Buffer = Name->Buffer + Start;
    Last.Length = (USHORT)(Name->Length - Start * sizeof(WCHAR));
    Last.MaximumLength = Last.Length;
    return Last;
}

static NTSTATUS CreateSrvOpen(PMINIRDR_DEVICE Device, PFCB Fcb, PFOBX Directory,
                              PSRV_OPEN *SrvOpen) {
    PMINIRDR_HOST Host = Device->Host;
    PSRV_OPEN New = RxAllocatePoolWithTag(PagedPool, sizeof(*New), TAG_SRV_OPEN);
    NTSTATUS Status;

    if (New == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (Directory != NULL) {
        UNICODE_STRING Last = LastComponent(&Fcb->Name);

        Status = Host->Open(Host->Context, Directory->SrvOpen->File, &Last, &New->File, &New->Info);
    } else {
        Status = Host->Open(Host->Context, NULL, &Fcb->Name, &New->File, &New->Info);
    }
    if (!NT_SUCCESS(Status)) {
        RxFreePool(New);
        return Status;
    }
    New->OpenCount = 0;
    *SrvOpen = New;
    return STATUS_SUCCESS;
}

/* The FCB's SRV_OPEN with one FOBX more; the server is asked only where nobody has the file open. */
static NTSTATUS ShareSrvOpen(PMINIRDR_DEVICE Device, PFCB Fcb, PFOBX Directory) {
    NTSTATUS Status = STATUS_SUCCESS;

    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(&Fcb->NonPaged->Resource, TRUE);
    if (Fcb->SrvOpen != NULL)
        InterlockedIncrement64(&Device->Statistics->SharedOpens);
    else
        Status = CreateSrvOpen(Device, Fcb, Directory, &Fcb->SrvOpen);
    if (NT_SUCCESS(Status))
        Fcb->SrvOpen->OpenCount++;
    ExReleaseResourceLite(&Fcb->NonPaged->Resource);
    KeLeaveCriticalRegion();
    return Status;
}

static VOID ReleaseSrvOpen(PMINIRDR_DEVICE Device, PFCB Fcb) {
    PSRV_OPEN SrvOpen = Fcb->SrvOpen;

    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(&Fcb->NonPaged->Resource, TRUE);
    if (--SrvOpen->OpenCount == 0) {
        Device->Host->Close(Device->Host->Context, SrvOpen->File);
        Fcb->SrvOpen = NULL;
        RxFreePool(SrvOpen);
    }
    ExReleaseResourceLite(&Fcb->NonPaged->Resource);
    KeLeaveCriticalRegion();
}

/* --- FOBXs ----------------------------------------------------------------------------------------------- */

NTSTATUS MiniOpen(PMINIRDR_DEVICE Device, PCUNICODE_STRING Name, PFOBX Directory, PFOBX *Fobx) {
    UNICODE_STRING Rest;
    PV_NET_ROOT VNetRoot;
    NTSTATUS Status;
    PFOBX New;
    PFCB Fcb;

    PAGED_CODE();
    VNetRoot = MiniLookupPrefix(&Device->PrefixTable, Name, &Rest);
    if (VNetRoot != Device->VNetRoot)
        return STATUS_OBJECT_PATH_NOT_FOUND;
    New = ExAllocateFromPagedLookasideList(&Device->FobxList);
    if (New == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    Status = FindOrCreateFcb(Device, VNetRoot->NetRoot, &Rest, &Fcb);
    if (NT_SUCCESS(Status)) {
        Status = ShareSrvOpen(Device, Fcb, Directory);
        if (!NT_SUCCESS(Status))
            DereferenceFcb(Device, Fcb);
    }
    if (!NT_SUCCESS(Status)) {
        ExFreeToPagedLookasideList(&Device->FobxList, New);
        return Status;
    }
    New->Fcb = Fcb;
    New->SrvOpen = Fcb->SrvOpen;
    New->References = 1;
    InterlockedIncrement64(&Device->Statistics->Opens);
    *Fobx = New;
    return STATUS_SUCCESS;
}

VOID MiniReferenceFobx(PFOBX Fobx) {
    InterlockedIncrement(&Fobx->References);
}

VOID MiniDereferenceFobx(PMINIRDR_DEVICE Device, PFOBX Fobx) {
    PFCB Fcb = Fobx->Fcb;

    PAGED_CODE();
    if (InterlockedDecrement(&Fobx->References) != 0)
        return;
    MiniCheckBlock(Device, Fobx);
    ReleaseSrvOpen(Device, Fcb);
    ExFreeToPagedLookasideList(&Device->FobxList, Fobx);
    DereferenceFcb(Device, Fcb);
}
