/*
 * Reading: whole pages from the server into one block, from there into the reader's block, which has
 * exactly the bytes asked for; what lies in the latter is compared with a plain read of the file.
 */
#include "core.h"

typedef struct _READ_STATE {
    PMINIRDR_DEVICE Device;
    PFOBX Fobx;
    HANDLE Compare;
    PVOID Pages; /* ROUND_TO_PAGES(Length) bytes */
    ULONG Length;
    LONGLONG Offset;
    BOOLEAN Equal;
} READ_STATE, *PREAD_STATE;

VOID MiniUnreadable(PMINIRDR_DEVICE Device, PCUNICODE_STRING Name, NTSTATUS Status) {
    InterlockedIncrement64(&Device->Statistics->Unreadable);
    Device->Host->Report(Device->Host->Context, HostEventUnreadable, Name, Status);
}

/* One read request. STATUS_END_OF_FILE at the end. */
static NTSTATUS ReadOnce(PREAD_STATE State) {
    PMINIRDR_HOST Host = State->Device->Host;
    ULONG Bytes;
    PVOID Buffer;
    NTSTATUS Status = Host->Read(Host->Context, State->Fobx->SrvOpen->File, State->Offset,
                                 State->Pages, State->Length, &Bytes);

    if (!NT_SUCCESS(Status))
        return Status;
    Buffer = RxAllocatePoolWithTag(PagedPool, Bytes, TAG_READ);
    if (Buffer == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlCopyMemory(Buffer, State->Pages, Bytes);
    if (State->Equal && Host->Compare(Host->Context, State->Compare, Buffer, Bytes))
        InterlockedExchangeAdd64(&State->Device->Statistics->Bytes, Bytes);
    else
        State->Equal = FALSE;
    MiniCheckBlock(State->Device, Buffer);
    RxFreePool(Buffer);
    State->Offset += Bytes;
    return STATUS_SUCCESS;
}

/* What the whole file's reading showed. */
static VOID Judge(PREAD_STATE State, BOOLEAN Changed) {
    PMINIRDR_STATISTICS Statistics = State->Device->Statistics;
    PMINIRDR_HOST Host = State->Device->Host;
    PCUNICODE_STRING Name = &State->Fobx->Fcb->Name;

    if (State->Offset != State->Fobx->SrvOpen->Info.EndOfFile) {
        InterlockedIncrement64(&Statistics->SizeChanged);
        Host->Report(Host->Context, HostEventSizeChanged, Name, STATUS_SUCCESS);
    } else if (State->Equal) {
        InterlockedIncrement64(&Statistics->FilesRead);
    } else if (Changed) {
        InterlockedIncrement64(&Statistics->Changed);
        Host->Report(Host->Context, HostEventChanged, Name, STATUS_SUCCESS);
    } else {
        InterlockedIncrement64(&Statistics->Different);
        Host->Report(Host->Context, HostEventDifferent, Name, STATUS_DATA_ERROR);
    }
}

static NTSTATUS ReadToEnd(PREAD_STATE State) {
    PMINIRDR_HOST Host = State->Device->Host;
    BOOLEAN Changed;
    NTSTATUS Status = Host->BeginCompare(Host->Context, &State->Fobx->Fcb->Name, &State->Compare);

    if (!NT_SUCCESS(Status))
        return Status;
    do
        Status = ReadOnce(State);
    while (NT_SUCCESS(Status));
    if (Status == STATUS_END_OF_FILE && State->Equal)
        State->Equal = Host->Compare(Host->Context, State->Compare, NULL, 0);
    Changed = Host->EndCompare(Host->Context, State->Compare, State->Fobx->SrvOpen->File);
    if (Status != STATUS_END_OF_FILE)
        return Status;
    Judge(State, Changed);
    return STATUS_SUCCESS;
}

VOID MiniReadFile(PMINIRDR_DEVICE Device, PFOBX Fobx) {
    LONGLONG EndOfFile = Fobx->SrvOpen->Info.EndOfFile;
    READ_STATE State = {Device, Fobx, NULL, NULL, READ_BYTES_MAX, 0, TRUE};
    NTSTATUS Status = STATUS_INSUFFICIENT_RESOURCES;

    PAGED_CODE();
    if (EndOfFile < READ_BYTES_MAX)
        State.Length = (ULONG)ROUND_TO_PAGES(EndOfFile + 1);
    State.Pages = RxAllocatePoolWithTag(PagedPool, State.Length, TAG_READ);
    if (State.Pages != NULL) {
        Status = ReadToEnd(&State);
        MiniCheckBlock(Device, State.Pages);
        RxFreePool(State.Pages);
    }
    if (!NT_SUCCESS(Status))
        MiniUnreadable(Device, &Fobx->Fcb->Name, Status);
}
