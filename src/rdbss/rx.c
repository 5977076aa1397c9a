/*
 * The Rx routines over the checked build but for the documented ones, which are in rx_names.c. Contracts:
 * ntrxdef.h. The routines are there in every library, since one library serves both builds of its callers.
 */
#define RXPOOL_CHECKED 1
#include <ntrxdef.h>

#include "check/check.h"
#include "plat/plat.h"

/* The macros of the same names give file and line; these are the functions behind the bare names. */
#undef RxAllocatePoolWithTag
#undef RxAllocatePool
#undef RxFreePool
#undef RxFreePoolWithTag

VOID *NTAPI _RxAllocatePoolForOthers(ULONG Type, SIZE_T Size, ULONG Tag, PSZ FileName,
                                     ULONG LineNumber) {
    const struct caller c = {"RxAllocatePoolForOthers", FileName, LineNumber, RXP_RETURN_ADDRESS()};
    return check_allocate_for_others(Type, Size, Tag, &c);
}

VOID *NTAPI _RxSignMemoryBlock(PVOID Memory, SIZE_T Bytes, ULONG Type, ULONG Tag, PSZ FileName,
                               ULONG LineNumber) {
    const struct caller c = {"RxSignMemoryBlock", FileName, LineNumber, RXP_RETURN_ADDRESS()};
    return check_sign(Memory, Bytes, Type, Tag, &c);
}

VOID *NTAPI _RxUnsignMemoryBlock(PVOID Block, PSZ FileName, ULONG LineNumber) {
    const struct caller c = {"RxUnsignMemoryBlock", FileName, LineNumber, RXP_RETURN_ADDRESS()};
    return check_unsign(Block, &c);
}

SIZE_T NTAPI RxCheckAllMemoryBlocks(VOID) {
    const struct caller c = {"RxCheckAllMemoryBlocks", NULL, 0, RXP_RETURN_ADDRESS()};
    return check_verify_all(&c);
}

BOOLEAN NTAPI RxPoolConfigure(PCSZ Options) {
    return plat_configure(Options) ? TRUE : FALSE;
}

SIZE_T NTAPI RxPoolReadReports(PVOID Buffer, SIZE_T Bytes, PULONG Dropped) {
    uint32_t dropped;
    size_t taken = plat_report_take(Buffer, Bytes, &dropped);
    if (Dropped != NULL)
        *Dropped = dropped;
    return taken;
}

SIZE_T NTAPI RxPoolUnload(VOID) {
    const struct caller c = {"RxPoolUnload", NULL, 0, RXP_RETURN_ADDRESS()};
    return check_unload(&c);
}

SIZE_T NTAPI RxPoolScan(VOID) {
    const struct caller c = {"RxPoolScan", NULL, 0, RXP_RETURN_ADDRESS()};
    return check_lost(&c);
}

ULONG NTAPI RxPoolMark(VOID) {
    return registry_mark();
}

SIZE_T NTAPI RxPoolLeaksSince(ULONG Mark) {
    const struct caller c = {"RxPoolLeaksSince", NULL, 0, RXP_RETURN_ADDRESS()};
    return check_leaks_since(Mark, &c);
}

/* Each looks at its own return address, where no file and line is told. */

PVOID NTAPI RxAllocatePoolWithTag(POOL_TYPE Type, SIZE_T Size, ULONG Tag) {
    const struct caller c = {"RxAllocatePoolWithTag", NULL, 0, RXP_RETURN_ADDRESS()};
    return check_allocate((ULONG)Type, RxPoolSize(Size), Tag, &c);
}

PVOID NTAPI RxAllocatePool(POOL_TYPE Type, SIZE_T Size) {
    const struct caller c = {"RxAllocatePoolWithTag", NULL, 0, RXP_RETURN_ADDRESS()};
    return check_allocate((ULONG)Type, RxPoolSize(Size), RX_POOL_DEFAULT_TAG, &c);
}

VOID NTAPI RxFreePool(PVOID Buffer) {
    const struct caller c = {"RxFreePool", NULL, 0, RXP_RETURN_ADDRESS()};
    check_free(Buffer, 0, &c);
}

VOID NTAPI RxFreePoolWithTag(PVOID Buffer, ULONG Tag) {
    const struct caller c = {"RxFreePoolWithTag", NULL, 0, RXP_RETURN_ADDRESS()};
    check_free(Buffer, Tag, &c);
}
