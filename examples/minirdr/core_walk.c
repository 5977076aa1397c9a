/*
 * The two kinds of work: enumerate a directory, and read the files that one batch of its names holds.
 * A batch's buffer is often freed by another thread than the one that filled it.
 */
#include "core.h"

static PRX_CONTEXT CreateContext(PMINIRDR_DEVICE Device) {
    PRX_CONTEXT Context = ExAllocateFromNPagedLookasideList(&Device->ContextList);

    if (Context != NULL) {
        RtlZeroMemory(Context, sizeof(*Context));
        Context->Device = Device;
    }
    return Context;
}

static VOID FinalizeContext(PRX_CONTEXT Context) {
    PMINIRDR_DEVICE Device = Context->Device;

    if (Context->Name.Buffer != NULL)
        RxFreePool(Context->Name.Buffer);
    if (Context->Buffer != NULL)
        RxFreePool(Context->Buffer);
    if (Context->Directory != NULL)
        MiniDereferenceFobx(Device, Context->Directory);
    ExFreeToNPagedLookasideList(&Device->ContextList, Context);
}

static UNICODE_STRING EntryName(PHOST_DIRECTORY_ENTRY Entry) {
    UNICODE_STRING Name = {(USHORT)Entry->NameLength, (USHORT)Entry->NameLength, Entry->Name};

    return Name;
}

static PHOST_DIRECTORY_ENTRY NextEntry(PHOST_DIRECTORY_ENTRY Entry) {
    if (Entry->NextEntryOffset == 0)
        return NULL;
    return (PHOST_DIRECTORY_ENTRY)(PVOID)((PUCHAR)Entry + Entry->NextEntryOffset);
}

/* Reports a name of the open Directory; where the two cannot be joined, the name alone. */
static VOID EntryUnreadable(PMINIRDR_DEVICE Device, PFOBX Directory, PCUNICODE_STRING Name,
                            NTSTATUS Status) {
    UNICODE_STRING Full;

    if (!NT_SUCCESS(MiniJoinNames(&Directory->Fcb->Name, Name, TAG_MISC, &Full))) {
        MiniUnreadable(Device, Name, Status);
        return;
    }
    MiniUnreadable(Device, &Full, Status);
    RxFreePool(Full.Buffer);
}

/* --- files ------------------------------------------------------------------------------------------- */

/*
 * As programs do: one open that asks what the file is, and another, on the same SRV_OPEN, that reads it.
 */
static NTSTATUS OpenAndRead(PMINIRDR_DEVICE Device, PCUNICODE_STRING Name, PFOBX Directory) {
    PFOBX Look, Reader;
    NTSTATUS Status = MiniOpen(Device, Name, Directory, &Look);

    if (!NT_SUCCESS(Status))
        return Status;
    if (Look->SrvOpen->Info.Directory)
        Status = STATUS_FILE_IS_A_DIRECTORY;
    else
        Status = MiniOpen(Device, Name, Directory, &Reader);
    if (NT_SUCCESS(Status)) {
        MiniReadFile(Device, Reader);
        MiniDereferenceFobx(Device, Reader);
    }
    MiniDereferenceFobx(Device, Look);
    return Status;
}

static VOID ReadBatch(PRX_CONTEXT Context) {
    PMINIRDR_DEVICE Device = Context->Device;
    PHOST_DIRECTORY_ENTRY Entry;

    for (Entry = Context->Buffer; Entry != NULL; Entry = NextEntry(Entry)) {
        UNICODE_STRING Name = EntryName(Entry);
        UNICODE_STRING Full;
        NTSTATUS Status;

        if (Entry->Kind != HostEntryFile)
            continue;
        Status = MiniJoinNames(&Context->Name, &Name, TAG_MISC, &Full);
        if (NT_SUCCESS(Status)) {
            Status = OpenAndRead(Device, &Full, Context->Directory);
            RxFreePool(Full.Buffer);
        }
        if (!NT_SUCCESS(Status))
            EntryUnreadable(Device, Context->Directory, &Name, Status);
    }
    FinalizeContext(Context);
}

/* --- directories --------------------------------------------------------------------------------------- */

static VOID EnumerateDirectory(PRX_CONTEXT Context);

NTSTATUS MiniPostDirectory(PMINIRDR_DEVICE Device, PCUNICODE_STRING Parent, PCUNICODE_STRING Name) {
    PRX_CONTEXT Context = CreateContext(Device);
    NTSTATUS Status;

    PAGED_CODE();
    if (Context == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    Status = MiniJoinNames(Parent, Name, TAG_MISC, &Context->Name);
    if (NT_SUCCESS(Status))
        Status = MiniPostWork(Device, EnumerateDirectory, Context);
    else
        Context->Name.Buffer = NULL;
    if (!NT_SUCCESS(Status))
        FinalizeContext(Context);
    return Status;
}

/* Counts a batch's entries, and queues its directories. Answers how many files it names. */
static ULONG SortBatch(PRX_CONTEXT Context, PFOBX Directory, PVOID Buffer) {
    PMINIRDR_DEVICE Device = Context->Device;
    PMINIRDR_STATISTICS Statistics = Device->Statistics;
    PHOST_DIRECTORY_ENTRY Entry;
    ULONG Files = 0;

    for (Entry = Buffer; Entry != NULL; Entry = NextEntry(Entry)) {
        UNICODE_STRING Name = EntryName(Entry);
        NTSTATUS Status = STATUS_SUCCESS;

        if (Entry->Kind == HostEntryFile) {
            Files++;
        } else if (Entry->Kind == HostEntryDirectory) {
            InterlockedIncrement64(&Statistics->Directories);
            Status = MiniPostDirectory(Device, &Context->Name, &Name);
        } else {
            InterlockedIncrement64(Entry->Kind == HostEntryLink ? &Statistics->Links
                                                                : &Statistics->Others);
        }
        if (!NT_SUCCESS(Status))
            EntryUnreadable(Device, Directory, &Name, Status);
    }
    InterlockedExchangeAdd64(&Statistics->Files, Files);
    return Files;
}

/* Has the files of Buffer, which this takes over, read: by any thread, or here when many batches wait. */
static NTSTATUS DispatchBatch(PRX_CONTEXT Context, PFOBX Directory, PVOID Buffer) {
    PMINIRDR_DEVICE Device = Context->Device;
    PRX_CONTEXT Batch = CreateContext(Device);

    if (Batch == NULL) {
        RxFreePool(Buffer);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Batch->Buffer = Buffer;
    MiniReferenceFobx(Directory);
    Batch->Directory = Directory;
    if (!NT_SUCCESS(MiniJoinNames(&Context->Name, &MiniEmptyName, TAG_MISC, &Batch->Name))) {
        Batch->Name.Buffer = NULL;
        FinalizeContext(Batch);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (MiniQueueDepth(&Device->WorkQueue) >= WAITING_BATCHES ||
        !NT_SUCCESS(MiniPostWork(Device, ReadBatch, Batch)))
        ReadBatch(Batch);
    return STATUS_SUCCESS;
}

/* The directory's next batch. STATUS_NO_MORE_FILES at its end. */
static NTSTATUS EnumerateBatch(PRX_CONTEXT Context, PFOBX Directory) {
    PMINIRDR_DEVICE Device = Context->Device;
    PMINIRDR_HOST Host = Device->Host;
    PVOID Buffer = RxAllocatePoolWithTag(PagedPool, DIRECTORY_BUFFER_BYTES, TAG_DIRECTORY);
    NTSTATUS Status;

    if (Buffer == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    Status = Host->QueryDirectory(Host->Context, Directory->SrvOpen->File, Buffer,
                                  DIRECTORY_BUFFER_BYTES);
    MiniCheckBlock(Device, Buffer);
    if (NT_SUCCESS(Status) && SortBatch(Context, Directory, Buffer) != 0)
        return DispatchBatch(Context, Directory, Buffer);
    RxFreePool(Buffer);
    return Status;
}

static VOID EnumerateDirectory(PRX_CONTEXT Context) {
    PMINIRDR_DEVICE Device = Context->Device;
    UNICODE_STRING Rest = Context->Name;
    NTSTATUS Status;
    PFOBX Directory;

    Status = MiniOpen(Device, &Context->Name, NULL, &Directory);
    if (NT_SUCCESS(Status)) {
        if (Directory->SrvOpen->Info.Directory) {
            do
                Status = EnumerateBatch(Context, Directory);
            while (NT_SUCCESS(Status));
        } else {
            Status = STATUS_NOT_A_DIRECTORY;
        }
        MiniDereferenceFobx(Device, Directory);
    }
    if (Status != STATUS_NO_MORE_FILES) {
        MiniLookupPrefix(&Device->PrefixTable, &Context->Name, &Rest);
        MiniUnreadable(Device, &Rest, Status);
    }
    FinalizeContext(Context);
}
