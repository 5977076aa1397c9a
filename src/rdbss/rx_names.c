/*
 * The documented `_Rx` routines, alone: where a driver links an RDBSS library that has these names,
 * nothing else of this library asks for them, and it has them by rxpool_override.h. Contracts: ntrxdef.h.
 */
#define RXPOOL_CHECKED 1
#include <ntrxdef.h>

#include "check/check.h"

VOID *NTAPI _RxAllocatePoolWithTag(ULONG Type, ULONG Size, ULONG Tag, PSZ FileName,
                                   ULONG LineNumber) {
    const struct caller c = {"RxAllocatePoolWithTag", FileName, LineNumber, RXP_RETURN_ADDRESS()};
    return check_allocate(Type, Size, Tag, &c);
}

VOID NTAPI _RxFreePool(PVOID Buffer, PSZ FileName, ULONG LineNumber) {
    const struct caller c = {"RxFreePool", FileName, LineNumber, RXP_RETURN_ADDRESS()};
    check_free(Buffer, 0, &c);
}

VOID NTAPI _RxFreePoolWithTag(PVOID Buffer, ULONG Tag, PSZ FileName, ULONG LineNumber) {
    const struct caller c = {"RxFreePoolWithTag", FileName, LineNumber, RXP_RETURN_ADDRESS()};
    check_free(Buffer, Tag, &c);
}

BOOLEAN NTAPI _RxCheckMemoryBlock(PVOID Buffer, PSZ FileName, ULONG LineNumber) {
    const struct caller c = {"RxCheckMemoryBlock", FileName, LineNumber, RXP_RETURN_ADDRESS()};
    return check_verify(Buffer, &c) ? TRUE : FALSE;
}
