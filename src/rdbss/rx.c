/*
 * The documented names over the checked build. Contracts: ntrxdef.h. The routines are there in every
 * library, since one library serves both builds of its callers.
 */
#define RXPOOL_CHECKED 1
#include <ntrxdef.h>

#include "check/check.h"

/* The macros of the same names give file and line; these are the functions behind the bare names. */
#undef RxAllocatePoolWithTag
#undef RxAllocatePool
#undef RxFreePool
#undef RxFreePoolWithTag

VOID *NTAPI _RxAllocatePoolWithTag(ULONG Type, ULONG Size, ULONG Tag, PSZ FileName,
                                   ULONG LineNumber) {
    const struct caller c = {"RxAllocatePoolWithTag", FileName, LineNumber};
    return check_allocate(Type, Size, Tag, &c);
}

VOID NTAPI _RxFreePool(PVOID Buffer, PSZ FileName, ULONG LineNumber) {
    const struct caller c = {"RxFreePool", FileName, LineNumber};
    check_free(Buffer, 0, &c);
}

VOID NTAPI _RxFreePoolWithTag(PVOID Buffer, ULONG Tag, PSZ FileName, ULONG LineNumber) {
    const struct caller c = {"RxFreePoolWithTag", FileName, LineNumber};
    check_free(Buffer, Tag, &c);
}

BOOLEAN NTAPI _RxCheckMemoryBlock(PVOID Buffer, PSZ FileName, ULONG LineNumber) {
    const struct caller c = {"RxCheckMemoryBlock", FileName, LineNumber};
    return check_verify(Buffer, &c) ? TRUE : FALSE;
}

VOID *NTAPI _RxAllocatePoolForOthers(ULONG Type, SIZE_T Size, ULONG Tag, PSZ FileName,
                                     ULONG LineNumber) {
    const struct caller c = {"RxAllocatePoolForOthers", FileName, LineNumber};
    return check_allocate_for_others(Type, Size, Tag, &c);
}

VOID *NTAPI _RxSignMemoryBlock(PVOID Memory, SIZE_T Bytes, ULONG Type, ULONG Tag, PSZ FileName,
                               ULONG LineNumber) {
    const struct caller c = {"RxSignMemoryBlock", FileName, LineNumber};
    return check_sign(Memory, Bytes, Type, Tag, &c);
}

VOID *NTAPI _RxUnsignMemoryBlock(PVOID Block, PSZ FileName, ULONG LineNumber) {
    const struct caller c = {"RxUnsignMemoryBlock", FileName, LineNumber};
    return check_unsign(Block, &c);
}

SIZE_T NTAPI RxCheckAllMemoryBlocks(VOID) {
    const struct caller c = {"RxCheckAllMemoryBlocks", NULL, 0};
    return check_verify_all(&c);
}

SIZE_T NTAPI RxPoolUnload(VOID) {
    const struct caller c = {"RxPoolUnload", NULL, 0};
    return check_leaks(&c);
}

PVOID NTAPI RxAllocatePoolWithTag(POOL_TYPE Type, SIZE_T Size, ULONG Tag) {
    return _RxAllocatePoolWithTag((ULONG)Type, RxPoolSize(Size), Tag, NULL, 0);
}

PVOID NTAPI RxAllocatePool(POOL_TYPE Type, SIZE_T Size) {
    return RxAllocatePoolWithTag(Type, Size, RX_POOL_DEFAULT_TAG);
}

VOID NTAPI RxFreePool(PVOID Buffer) {
    _RxFreePool(Buffer, NULL, 0);
}

VOID NTAPI RxFreePoolWithTag(PVOID Buffer, ULONG Tag) {
    _RxFreePoolWithTag(Buffer, Tag, NULL, 0);
}
