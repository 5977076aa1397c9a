/*
 * The lookaside lists of wdm.h, which includes this file: three kinds of list over one layout, the one that the
 * kit's inline functions touch.
 */
#ifndef _WDMDDK_LOOKASIDE_
#define _WDMDDK_LOOKASIDE_

#include "wdm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _LOOKASIDE_LIST_EX *PLOOKASIDE_LIST_EX;

typedef PVOID(NTAPI ALLOCATE_FUNCTION)(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);
typedef ALLOCATE_FUNCTION *PALLOCATE_FUNCTION;
typedef VOID(NTAPI FREE_FUNCTION)(PVOID Buffer);
typedef FREE_FUNCTION *PFREE_FUNCTION;
typedef PVOID(NTAPI ALLOCATE_FUNCTION_EX)(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag,
                                          PLOOKASIDE_LIST_EX Lookaside);
typedef ALLOCATE_FUNCTION_EX *PALLOCATE_FUNCTION_EX;
typedef VOID(NTAPI FREE_FUNCTION_EX)(PVOID Buffer, PLOOKASIDE_LIST_EX Lookaside);
typedef FREE_FUNCTION_EX *PFREE_FUNCTION_EX;

/* The layout that the kit's inline functions touch; the same in all three kinds of list. */
#define GENERAL_LOOKASIDE_LAYOUT                                                                   \
    __extension__ union {                                                                          \
        SLIST_HEADER ListHead;                                                                     \
        SINGLE_LIST_ENTRY SingleListHead;                                                          \
    };                                                                                             \
    USHORT Depth;                                                                                  \
    USHORT MaximumDepth;                                                                           \
    ULONG TotalAllocates;                                                                          \
    __extension__ union {                                                                          \
        ULONG AllocateMisses;                                                                      \
        ULONG AllocateHits;                                                                        \
    };                                                                                             \
    ULONG TotalFrees;                                                                              \
    __extension__ union {                                                                          \
        ULONG FreeMisses;                                                                          \
        ULONG FreeHits;                                                                            \
    };                                                                                             \
    POOL_TYPE Type;                                                                                \
    ULONG Tag;                                                                                     \
    ULONG Size;                                                                                    \
    __extension__ union {                                                                          \
        PALLOCATE_FUNCTION_EX AllocateEx;                                                          \
        PALLOCATE_FUNCTION Allocate;                                                               \
    };                                                                                             \
    __extension__ union {                                                                          \
        PFREE_FUNCTION_EX FreeEx;                                                                  \
        PFREE_FUNCTION Free;                                                                       \
    };                                                                                             \
    LIST_ENTRY ListEntry;                                                                          \
    ULONG LastTotalAllocates;                                                                      \
    __extension__ union {                                                                          \
        ULONG LastAllocateMisses;                                                                  \
        ULONG LastAllocateHits;                                                                    \
    };                                                                                             \
    ULONG Future[2];

typedef struct DECLSPEC_CACHEALIGN _GENERAL_LOOKASIDE {
    GENERAL_LOOKASIDE_LAYOUT
} GENERAL_LOOKASIDE, *PGENERAL_LOOKASIDE;

typedef struct _GENERAL_LOOKASIDE_POOL {
    GENERAL_LOOKASIDE_LAYOUT
} GENERAL_LOOKASIDE_POOL, *PGENERAL_LOOKASIDE_POOL;

typedef struct _PAGED_LOOKASIDE_LIST {
    GENERAL_LOOKASIDE L;
} PAGED_LOOKASIDE_LIST, *PPAGED_LOOKASIDE_LIST;

typedef struct DECLSPEC_CACHEALIGN _NPAGED_LOOKASIDE_LIST {
    GENERAL_LOOKASIDE L;
} NPAGED_LOOKASIDE_LIST, *PNPAGED_LOOKASIDE_LIST;

typedef struct _LOOKASIDE_LIST_EX {
    GENERAL_LOOKASIDE_POOL L;
} LOOKASIDE_LIST_EX;

#define LOOKASIDE_MINIMUM_BLOCK_SIZE (RTL_SIZEOF_THROUGH_FIELD(SLIST_ENTRY, Next))
#define EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL 0x00000001UL
#define EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE 0x00000002UL

/*
 * Initialises a list of blocks of Size bytes (at least LOOKASIDE_MINIMUM_BLOCK_SIZE are taken).
 * Allocate and Free default to ExAllocatePoolWithTag and ExFreePool. Flags: 0,
 * POOL_RAISE_IF_ALLOCATION_FAILURE, POOL_NX_ALLOCATION. Depth has no effect. Lookaside lies in
 * nonpaged memory, 16-byte aligned. IRQL <= DISPATCH_LEVEL; the paged kind <= APC_LEVEL, as all of
 * its calls.
 */
NTKERNELAPI VOID NTAPI ExInitializeNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside,
                                                       PALLOCATE_FUNCTION Allocate,
                                                       PFREE_FUNCTION Free, ULONG Flags,
                                                       SIZE_T Size, ULONG Tag, USHORT Depth);
NTKERNELAPI VOID NTAPI ExInitializePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside,
                                                      PALLOCATE_FUNCTION Allocate,
                                                      PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size,
                                                      ULONG Tag, USHORT Depth);
/* Frees what the list keeps. The list must be initialised again before it is used again. */
NTKERNELAPI VOID NTAPI ExDeleteNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside);
NTKERNELAPI VOID NTAPI ExDeletePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside);

/*
 * The general kind: any pool type; the functions get the list too. Flags: 0 or one of
 * EX_LOOKASIDE_LIST_EX_FLAGS_. STATUS_SUCCESS; STATUS_INVALID_PARAMETER_4 for a PoolType and
 * STATUS_INVALID_PARAMETER_5 for Flags that are not valid.
 */
NTKERNELAPI NTSTATUS NTAPI ExInitializeLookasideListEx(PLOOKASIDE_LIST_EX Lookaside,
                                                       PALLOCATE_FUNCTION_EX Allocate,
                                                       PFREE_FUNCTION_EX Free, POOL_TYPE PoolType,
                                                       ULONG Flags, SIZE_T Size, ULONG Tag,
                                                       USHORT Depth);
NTKERNELAPI VOID NTAPI ExDeleteLookasideListEx(PLOOKASIDE_LIST_EX Lookaside);
/* Frees what the list keeps; the list stays in use. */
NTKERNELAPI VOID NTAPI ExFlushLookasideListEx(PLOOKASIDE_LIST_EX Lookaside);

/*
 * The lists' statistics: without a locked instruction, so that threads may miss each other's counts, as
 * with the kit's own, but a reader never meets anything else than a count.
 */
FORCEINLINE VOID RxpoolCountOne(PULONG Counter) {
    ULONG count = __atomic_load_n(Counter, __ATOMIC_RELAXED);

    __atomic_store_n(Counter, count + 1, __ATOMIC_RELAXED);
}

FORCEINLINE PVOID RxpoolLookasideTake(PGENERAL_LOOKASIDE Lookaside) {
    PVOID entry;

    RxpoolCountOne(&Lookaside->TotalAllocates);
    entry = InterlockedPopEntrySList(&Lookaside->ListHead);
    if (entry == NULL) {
        RxpoolCountOne(&Lookaside->AllocateMisses);
        entry = Lookaside->Allocate(Lookaside->Type, Lookaside->Size, Lookaside->Tag);
    }
    return entry;
}

FORCEINLINE VOID RxpoolLookasideGive(PGENERAL_LOOKASIDE Lookaside, PVOID Entry) {
    RxpoolCountOne(&Lookaside->TotalFrees);
    if (ExQueryDepthSList(&Lookaside->ListHead) >= Lookaside->Depth) {
        RxpoolCountOne(&Lookaside->FreeMisses);
        Lookaside->Free(Entry);
    } else {
        InterlockedPushEntrySList(&Lookaside->ListHead, (PSLIST_ENTRY)Entry);
    }
}

/* An entry of the list, or one that Allocate gives; NULL when it gives none. */
FORCEINLINE PVOID ExAllocateFromNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside) {
    return RxpoolLookasideTake(&Lookaside->L);
}

FORCEINLINE PVOID ExAllocateFromPagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside) {
    return RxpoolLookasideTake(&Lookaside->L);
}

/* Keeps Entry, or gives it to Free when the list is full. */
FORCEINLINE VOID ExFreeToNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PVOID Entry) {
    RxpoolLookasideGive(&Lookaside->L, Entry);
}

FORCEINLINE VOID ExFreeToPagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PVOID Entry) {
    RxpoolLookasideGive(&Lookaside->L, Entry);
}

FORCEINLINE PVOID ExAllocateFromLookasideListEx(PLOOKASIDE_LIST_EX Lookaside) {
    PVOID entry;

    RxpoolCountOne(&Lookaside->L.TotalAllocates);
    entry = InterlockedPopEntrySList(&Lookaside->L.ListHead);
    if (entry == NULL) {
        RxpoolCountOne(&Lookaside->L.AllocateMisses);
        entry = Lookaside->L.AllocateEx(Lookaside->L.Type, Lookaside->L.Size, Lookaside->L.Tag,
                                        Lookaside);
    }
    return entry;
}

FORCEINLINE VOID ExFreeToLookasideListEx(PLOOKASIDE_LIST_EX Lookaside, PVOID Entry) {
    RxpoolCountOne(&Lookaside->L.TotalFrees);
    if (ExQueryDepthSList(&Lookaside->L.ListHead) >= Lookaside->L.Depth) {
        RxpoolCountOne(&Lookaside->L.FreeMisses);
        Lookaside->L.FreeEx(Entry, Lookaside);
    } else {
        InterlockedPushEntrySList(&Lookaside->L.ListHead, (PSLIST_ENTRY)Entry);
    }
}

C_ASSERT(sizeof(NPAGED_LOOKASIDE_LIST) == 0x80);
C_ASSERT(sizeof(PAGED_LOOKASIDE_LIST) == 0x80);
C_ASSERT(sizeof(LOOKASIDE_LIST_EX) == 0x60);
C_ASSERT(FIELD_OFFSET(GENERAL_LOOKASIDE, Allocate) == 0x30);

#ifdef __cplusplus
}
#endif

#endif
