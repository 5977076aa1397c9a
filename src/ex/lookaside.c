/*
 * Lookaside lists: an S-list of blocks in front of an allocate and a free function. Taking and
 * giving entries is inline in the headers, ours and the kit's, over the public layout; here are the
 * ends of a list's life. Nothing tunes Depth: the engine below keeps free blocks at hand for every
 * thread anyway.
 */
#include <ntifs.h>

#include "base/options.h"
#include "base/stop.h"

#define LOOKASIDE_DEPTH 64

/* The part that all kinds have in common, whichever kind it lies in. */
typedef struct __attribute__((may_alias)) lookaside_any {
    GENERAL_LOOKASIDE_LAYOUT
} lookaside_any;

static PVOID NTAPI allocate_default_ex(POOL_TYPE type, SIZE_T size, ULONG tag,
                                       PLOOKASIDE_LIST_EX list) {
    (void)list;
    return ExAllocatePoolWithTag(type, size, tag);
}

static VOID NTAPI free_default_ex(PVOID block, PLOOKASIDE_LIST_EX list) {
    (void)list;
    ExFreePool(block);
}

RXP_COLD static void stop_small(const lookaside_any *l, SIZE_T size, ULONG tag) {
    struct stop_report *r = stop_claim();

    stop_begin(r, STOP_DRIVER_VERIFIER, 0xCD, (uintptr_t)l, size, LOOKASIDE_MINIMUM_BLOCK_SIZE,
               "a lookaside list of blocks that are too small to be linked");
    text_tag(stop_line(r, "tag"), tag);
    stop_end_line(r);
    stop_commit(r);
}

/* Everything but the functions. Entries are linked through their first word. */
static void lookaside_init(lookaside_any *l, ULONG type, SIZE_T size, ULONG tag) {
    if (size < LOOKASIDE_MINIMUM_BLOCK_SIZE && (options_get()->strict & OPTIONS_STRICT_ARGS))
        stop_small(l, size, tag);
    memset(l, 0, sizeof *l);
    InitializeSListHead(&l->ListHead);
    l->Depth = LOOKASIDE_DEPTH;
    l->MaximumDepth = LOOKASIDE_DEPTH;
    l->Type = (POOL_TYPE)type;
    l->Tag = tag;
    l->Size = (ULONG)(size < LOOKASIDE_MINIMUM_BLOCK_SIZE ? LOOKASIDE_MINIMUM_BLOCK_SIZE : size);
    InitializeListHead(&l->ListEntry);
}

static void lookaside_init_plain(PGENERAL_LOOKASIDE l, PALLOCATE_FUNCTION allocate,
                                 PFREE_FUNCTION release, ULONG type, SIZE_T size, ULONG tag) {
    lookaside_init((lookaside_any *)l, type, size, tag);
    l->Allocate = allocate != NULL ? allocate : ExAllocatePoolWithTag;
    l->Free = release != NULL ? release : ExFreePool;
}

NTKERNELAPI VOID NTAPI ExInitializeNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside,
                                                       PALLOCATE_FUNCTION Allocate,
                                                       PFREE_FUNCTION Free, ULONG Flags,
                                                       SIZE_T Size, ULONG Tag, USHORT Depth) {
    (void)Depth;
    lookaside_init_plain(&Lookaside->L, Allocate, Free, NonPagedPool | Flags, Size, Tag);
}

NTKERNELAPI VOID NTAPI ExInitializePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside,
                                                      PALLOCATE_FUNCTION Allocate,
                                                      PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size,
                                                      ULONG Tag, USHORT Depth) {
    (void)Depth;
    lookaside_init_plain(&Lookaside->L, Allocate, Free, PagedPool | Flags, Size, Tag);
}

static void lookaside_empty(lookaside_any *l, PFREE_FUNCTION release) {
    PSLIST_ENTRY entry;

    while ((entry = ExpInterlockedPopEntrySList(&l->ListHead)) != NULL)
        release(entry);
}

/* A list that is used after its end finds no room and no functions. */
static void lookaside_end(lookaside_any *l) {
    l->Depth = 0;
    l->Allocate = NULL;
    l->Free = NULL;
}

NTKERNELAPI VOID NTAPI ExDeleteNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside) {
    lookaside_empty((lookaside_any *)&Lookaside->L, Lookaside->L.Free);
    lookaside_end((lookaside_any *)&Lookaside->L);
}

NTKERNELAPI VOID NTAPI ExDeletePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside) {
    lookaside_empty((lookaside_any *)&Lookaside->L, Lookaside->L.Free);
    lookaside_end((lookaside_any *)&Lookaside->L);
}

/* --- the general kind ------------------------------------------------------------------------- */

static bool pool_type_valid(ULONG type) {
    ULONG plain = type & ~(ULONG)(POOL_NX_ALLOCATION | POOL_COLD_ALLOCATION | POOL_ZERO_ALLOCATION |
                                  NonPagedPoolSession);

    return plain == NonPagedPool || plain == PagedPool || plain == NonPagedPoolCacheAligned ||
           plain == PagedPoolCacheAligned;
}

NTKERNELAPI NTSTATUS NTAPI ExInitializeLookasideListEx(PLOOKASIDE_LIST_EX Lookaside,
                                                       PALLOCATE_FUNCTION_EX Allocate,
                                                       PFREE_FUNCTION_EX Free, POOL_TYPE PoolType,
                                                       ULONG Flags, SIZE_T Size, ULONG Tag,
                                                       USHORT Depth) {
    ULONG type = (ULONG)PoolType;

    (void)Depth;
    if (!pool_type_valid(type))
        return STATUS_INVALID_PARAMETER_4;
    if (Flags > EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE)
        return STATUS_INVALID_PARAMETER_5;
    if (Flags == EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL)
        type |= POOL_RAISE_IF_ALLOCATION_FAILURE;
    if (Flags == EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE)
        type |= POOL_QUOTA_FAIL_INSTEAD_OF_RAISE;
    lookaside_init((lookaside_any *)&Lookaside->L, type, Size, Tag);
    Lookaside->L.AllocateEx = Allocate != NULL ? Allocate : allocate_default_ex;
    Lookaside->L.FreeEx = Free != NULL ? Free : free_default_ex;
    return STATUS_SUCCESS;
}

NTKERNELAPI VOID NTAPI ExFlushLookasideListEx(PLOOKASIDE_LIST_EX Lookaside) {
    PSLIST_ENTRY entry;

    while ((entry = ExpInterlockedPopEntrySList(&Lookaside->L.ListHead)) != NULL)
        Lookaside->L.FreeEx(entry, Lookaside);
}

NTKERNELAPI VOID NTAPI ExDeleteLookasideListEx(PLOOKASIDE_LIST_EX Lookaside) {
    ExFlushLookasideListEx(Lookaside);
    lookaside_end((lookaside_any *)&Lookaside->L);
}
