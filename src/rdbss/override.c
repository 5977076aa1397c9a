/* The routines of rxpool_override.h, under names that no RDBSS library has. */
#define RXPOOL_CHECKED 1
#include <rxpool_override.h>

#include "check/check.h"

PVOID NTAPI RxPoolAllocate(ULONG Type, ULONG Size, ULONG Tag, PCSTR FileName, ULONG LineNumber) {
    const struct caller c = {"RxAllocatePoolWithTag", FileName, LineNumber, NULL};
    return check_allocate(Type, Size, Tag, &c);
}

VOID NTAPI RxPoolFree(PVOID Buffer, PCSTR FileName, ULONG LineNumber) {
    const struct caller c = {"RxFreePool", FileName, LineNumber, NULL};
    check_free(Buffer, 0, &c);
}

VOID NTAPI RxPoolFreeWithTag(PVOID Buffer, ULONG Tag, PCSTR FileName, ULONG LineNumber) {
    const struct caller c = {"RxFreePoolWithTag", FileName, LineNumber, NULL};
    check_free(Buffer, Tag, &c);
}

BOOLEAN NTAPI RxPoolCheck(PVOID Buffer, PCSTR FileName, ULONG LineNumber) {
    const struct caller c = {"RxCheckMemoryBlock", FileName, LineNumber, NULL};
    return check_verify(Buffer, &c) ? TRUE : FALSE;
}
