/* Names: joining and hashing, the prefix table, and the structures that prefixes lead to. */
#include "core.h"

#define HASH_START 2166136261u
#define HASH_STEP(Hash, Character) (((Hash) ^ (Character)) * 16777619u)
#define IS_SEPARATOR(Character) ((Character) == '\\')

static WCHAR NoCharacters[1];
const UNICODE_STRING MiniEmptyName = {0, 0, NoCharacters};

NTSTATUS MiniJoinNames(PCUNICODE_STRING Prefix, PCUNICODE_STRING Name, ULONG Tag,
                       PUNICODE_STRING Joined) {
    ULONG Separator = Prefix->Length != 0 && Name->Length != 0 ? sizeof(WCHAR) : 0;
    ULONG Length = (ULONG)Prefix->Length + Separator + Name->Length;

    PAGED_CODE();
    if (Length > MAXUSHORT - 1)
        return STATUS_NAME_TOO_LONG;
    Joined->Length = (USHORT)Length;
    Joined->MaximumLength = (USHORT)Length;
    /* An empty name too has a block, so that who frees it need not ask. */
    Joined->Buffer = RxAllocatePoolWithTag(PagedPool | POOL_COLD_ALLOCATION,
                                           Length != 0 ? Length : sizeof(WCHAR), Tag);
    if (Joined->Buffer == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlCopyMemory(Joined->Buffer, Prefix->Buffer, Prefix->Length);
    if (Separator != 0)
        Joined->Buffer[Prefix->Length / sizeof(WCHAR)] = '\\';
    RtlCopyMemory((PUCHAR)Joined->Buffer + Prefix->Length + Separator, Name->Buffer, Name->Length);
    return STATUS_SUCCESS;
}

ULONG MiniHashName(PCUNICODE_STRING Name) {
    ULONG Hash = HASH_START;
    ULONG i;

    for (i = 0; i < Name->Length / sizeof(WCHAR); i++)
        Hash = HASH_STEP(Hash, Name->Buffer[i]);
    return Hash;
}

BOOLEAN MiniEqualNames(PCUNICODE_STRING One, PCUNICODE_STRING Other) {
    return One->Length == Other->Length && RtlEqualMemory(One->Buffer, Other->Buffer, One->Length);
}

/* --- prefix table ------------------------------------------------------------------------------------ */

VOID MiniInitializePrefixTable(PRX_PREFIX_TABLE Table) {
    ULONG i;

    ExInitializeResourceLite(&Table->Lock);
    Table->MaximumComponents = 0;
    for (i = 0; i < PREFIX_BUCKETS; i++)
        InitializeListHead(&Table->Buckets[i]);
}

static ULONG CountComponents(PCUNICODE_STRING Name) {
    ULONG Count = 0;
    ULONG i;

    for (i = 0; i < Name->Length / sizeof(WCHAR); i++)
        Count += IS_SEPARATOR(Name->Buffer[i]);
    return Count;
}

VOID MiniInsertPrefix(PRX_PREFIX_TABLE Table, PRX_PREFIX_ENTRY Entry, PCUNICODE_STRING Name,
                      PVOID Container) {
    ULONG Components = CountComponents(Name);

    PAGED_CODE();
    Entry->Name = *Name;
    Entry->Hash = MiniHashName(Name);
    Entry->Container = Container;
    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(&Table->Lock, TRUE);
    InsertTailList(&Table->Buckets[Entry->Hash % PREFIX_BUCKETS], &Entry->Links);
    if (Components > Table->MaximumComponents)
        Table->MaximumComponents = Components;
    ExReleaseResourceLite(&Table->Lock);
    KeLeaveCriticalRegion();
}

VOID MiniRemovePrefix(PRX_PREFIX_TABLE Table, PRX_PREFIX_ENTRY Entry) {
    PAGED_CODE();
    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(&Table->Lock, TRUE);
    RemoveEntryList(&Entry->Links);
    ExReleaseResourceLite(&Table->Lock);
    KeLeaveCriticalRegion();
}

static PRX_PREFIX_ENTRY FindPrefix(PRX_PREFIX_TABLE Table, ULONG Hash, PCUNICODE_STRING Name) {
    PLIST_ENTRY Bucket = &Table->Buckets[Hash % PREFIX_BUCKETS];
    PLIST_ENTRY Link;

    for (Link = Bucket->Flink; Link != Bucket; Link = Link->Flink) {
        PRX_PREFIX_ENTRY Entry = CONTAINING_RECORD(Link, RX_PREFIX_ENTRY, Links);

        if (Entry->Hash == Hash && MiniEqualNames(&Entry->Name, Name))
            return Entry;
    }
    return NULL;
}

/* One pass over Name: the hash of each prefix is on the way to the next one's. */
PVOID MiniLookupPrefix(PRX_PREFIX_TABLE Table, PCUNICODE_STRING Name, PUNICODE_STRING Rest) {
    ULONG Characters = Name->Length / sizeof(WCHAR);
    ULONG Hash = HASH_START;
    ULONG Components = 0;
    PVOID Container = NULL;
    ULONG i;

    PAGED_CODE();
    KeEnterCriticalRegion();
    ExAcquireResourceSharedLite(&Table->Lock, TRUE);
    for (i = 0; i <= Characters; i++) {
        if (i != 0 && (i == Characters || IS_SEPARATOR(Name->Buffer[i]))) {
            UNICODE_STRING Prefix = {(USHORT)(i * sizeof(WCHAR)), (USHORT)(i * sizeof(WCHAR)),
                                     Name->Buffer};
            PRX_PREFIX_ENTRY Entry = FindPrefix(Table, Hash, &Prefix);

            if (Entry != NULL) {
                ULONG Skip = i == Characters ? i : i + 1;

                Container = Entry->Container;
                Rest->Buffer = Name->Buffer + Skip;
                Rest->Length = (USHORT)((Characters - Skip) * sizeof(WCHAR));
                Rest->MaximumLength = Rest->Length;
            }
            if (++Components == Table->MaximumComponents)
                break;
        }
        if (i < Characters)
            Hash = HASH_STEP(Hash, Name->Buffer[i]);
    }
    ExReleaseResourceLite(&Table->Lock);
    KeLeaveCriticalRegion();
    return Container;
}

/* --- SRV_CALL, NET_ROOT, V_NET_ROOT -------------------------------------------------------------------- */

static NTSTATUS CreateSrvCall(PMINIRDR_DEVICE Device, PSRV_CALL *SrvCall) {
    PSRV_CALL New =
        RxAllocatePoolWithTag(PagedPool | POOL_COLD_ALLOCATION, sizeof(*New), TAG_SRV_CALL);
    NTSTATUS Status;

    if (New == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    Status = MiniJoinNames(&MiniEmptyName, &Device->Host->ServerName, TAG_SRV_CALL, &New->Name);
    if (!NT_SUCCESS(Status)) {
        RxFreePool(New);
        return Status;
    }
    MiniInsertPrefix(&Device->PrefixTable, &New->Prefix, &New->Name, New);
    *SrvCall = New;
    return STATUS_SUCCESS;
}

static VOID FinalizeSrvCall(PMINIRDR_DEVICE Device, PSRV_CALL SrvCall) {
    MiniRemovePrefix(&Device->PrefixTable, &SrvCall->Prefix);
    RxFreePool(SrvCall->Name.Buffer);
    RxFreePool(SrvCall);
}

/* Nonpaged: it holds locks that others wait for. Its table is reached under a resource only, so paged. */
static NTSTATUS CreateNetRoot(PSRV_CALL SrvCall, PNET_ROOT *NetRoot) {
    PNET_ROOT New = RxAllocatePoolWithTag(NonPagedPool, sizeof(*New), TAG_NET_ROOT);
    ULONG i;

    if (New == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    New->FcbBuckets =
        RxAllocatePoolWithTag(PagedPool, FCB_BUCKETS * sizeof(LIST_ENTRY), TAG_NET_ROOT);
    if (New->FcbBuckets == NULL) {
        RxFreePool(New);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    for (i = 0; i < FCB_BUCKETS; i++)
        InitializeListHead(&New->FcbBuckets[i]);
    New->SrvCall = SrvCall;
    ExInitializeResourceLite(&New->FcbTableLock);
    ExInitializeFastMutex(&New->DormantLock);
    InitializeListHead(&New->Dormant);
    New->DormantCount = 0;
    *NetRoot = New;
    return STATUS_SUCCESS;
}

static VOID FinalizeNetRoot(PMINIRDR_DEVICE Device, PNET_ROOT NetRoot) {
    MiniTrimDormantFcbs(Device, NetRoot, 0);
    ExDeleteResourceLite(&NetRoot->FcbTableLock);
    RxFreePool(NetRoot->FcbBuckets);
    RxFreePool(NetRoot);
}

static NTSTATUS CreateVNetRoot(PMINIRDR_DEVICE Device, PNET_ROOT NetRoot, PV_NET_ROOT *VNetRoot) {
    PV_NET_ROOT New =
        RxAllocatePoolWithTag(PagedPool | POOL_COLD_ALLOCATION, sizeof(*New), TAG_V_NET_ROOT);
    NTSTATUS Status;

    if (New == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    Status = MiniJoinNames(&MiniEmptyName, &Device->Host->ShareName, TAG_V_NET_ROOT, &New->Name);
    if (!NT_SUCCESS(Status)) {
        RxFreePool(New);
        return Status;
    }
    New->NetRoot = NetRoot;
    MiniInsertPrefix(&Device->PrefixTable, &New->Prefix, &New->Name, New);
    *VNetRoot = New;
    return STATUS_SUCCESS;
}

NTSTATUS MiniConnect(PMINIRDR_DEVICE Device) {
    PNET_ROOT NetRoot;
    NTSTATUS Status;

    PAGED_CODE();
    Status = CreateSrvCall(Device, &Device->SrvCall);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = CreateNetRoot(Device->SrvCall, &NetRoot);
    if (!NT_SUCCESS(Status)) {
        FinalizeSrvCall(Device, Device->SrvCall);
        return Status;
    }
    Status = CreateVNetRoot(Device, NetRoot, &Device->VNetRoot);
    if (!NT_SUCCESS(Status)) {
        FinalizeNetRoot(Device, NetRoot);
        FinalizeSrvCall(Device, Device->SrvCall);
    }
    return Status;
}

VOID MiniDisconnect(PMINIRDR_DEVICE Device) {
    PV_NET_ROOT VNetRoot = Device->VNetRoot;
    PSRV_CALL SrvCall = VNetRoot->NetRoot->SrvCall;

    PAGED_CODE();
    MiniRemovePrefix(&Device->PrefixTable, &VNetRoot->Prefix);
    FinalizeNetRoot(Device, VNetRoot->NetRoot);
    RxFreePool(VNetRoot->Name.Buffer);
    RxFreePool(VNetRoot);
    FinalizeSrvCall(Device, SrvCall);
}
