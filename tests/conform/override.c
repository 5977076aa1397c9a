/*
 * rxpool_override.h beside an RDBSS library that has the `_Rx` names already and beside its header's macros:
 * in the checked build the macros lead to this library, in the free build to the other.
 */
#include <ntifs.h>

#include <stdio.h>

static unsigned theirs; /* calls that the other library got */

/* As a kit's rx.h and RDBSS library have them. */
PVOID NTAPI _RxAllocatePoolWithTag(ULONG Type, ULONG Size, ULONG Tag, PSZ FileName, ULONG Line);
VOID NTAPI _RxFreePool(PVOID Buffer, PSZ FileName, ULONG Line);

PVOID NTAPI _RxAllocatePoolWithTag(ULONG Type, ULONG Size, ULONG Tag, PSZ FileName, ULONG Line) {
    (void)FileName;
    (void)Line;
    theirs++;
    return ExAllocatePoolWithTag((POOL_TYPE)Type, Size, Tag);
}

VOID NTAPI _RxFreePool(PVOID Buffer, PSZ FileName, ULONG Line) {
    (void)FileName;
    (void)Line;
    theirs++;
    ExFreePool(Buffer);
}

#define _NTRXDEF_
#define RxAllocatePoolWithTag(type, size, tag)                                                     \
    _RxAllocatePoolWithTag(type, size, tag, (PSZ)__FILE__, __LINE__)
#define RxFreePool(ptr) _RxFreePool(ptr, (PSZ)__FILE__, __LINE__)
#define RxCheckMemoryBlock(ptr) FALSE

static PVOID their_block(VOID) {
    return RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
}

#include <rxpool_override.h>

int main(VOID) {
    unsigned expected = RXPOOL_CHECKED ? 1 : 4;
    PVOID block = their_block();
    SIZE_T bytes = 50;
    char *mine = RxAllocatePoolWithTag(PagedPool, bytes++, 'tseT');

    if (mine == NULL || bytes != 51 || RxCheckMemoryBlock(mine) != RXPOOL_CHECKED)
        return 1;
    RxFreePool(mine);
    RxFreePool(block);
    if (theirs != expected) {
        printf("the other library got %u calls, not %u\n", theirs, expected);
        return 1;
    }
    return 0;
}
