/*
 * The checked build for a driver whose kit has an ntrxdef.h and whose RDBSS library has the `_Rx`
 * routines already. Include this after the kit's rx.h:
 *
 *   #include <rx.h>
 *   #include <rxpool_override.h>
 *
 * In the checked build (DBG=1, or RXPOOL_CHECKED=1) the macros of the kit's header give way to ones
 * with the same names that call this library; in the free build nothing is changed. What the RDBSS
 * library itself allocates and frees stays its own, and blocks that it hands to the driver may be
 * freed by the driver's RxFreePool.
 */
#ifndef RXPOOL_OVERRIDE_H
#define RXPOOL_OVERRIDE_H

#ifndef _WDMDDK_
#include <wdm.h>
#endif

#ifndef RXPOOL_CHECKED
#if defined(DBG) && DBG
#define RXPOOL_CHECKED 1
#else
#define RXPOOL_CHECKED 0
#endif
#endif

#if RXPOOL_CHECKED

#ifndef RXPOOL_API
#ifdef __ELF__
#define RXPOOL_API __attribute__((visibility("default")))
#else
#define RXPOOL_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* As _RxAllocatePoolWithTag of ntrxdef.h; a Size of MAXULONG is refused. IRQL <= DISPATCH_LEVEL. */
RXPOOL_API PVOID NTAPI RxPoolAllocate(ULONG Type, ULONG Size, ULONG Tag, PCSTR FileName,
                                      ULONG LineNumber);
/* As _RxFreePool and _RxFreePoolWithTag; blocks of others are passed on to ExFreePool. */
RXPOOL_API VOID NTAPI RxPoolFree(PVOID Buffer, PCSTR FileName, ULONG LineNumber);
RXPOOL_API VOID NTAPI RxPoolFreeWithTag(PVOID Buffer, ULONG Tag, PCSTR FileName, ULONG LineNumber);
/* As _RxCheckMemoryBlock. */
RXPOOL_API BOOLEAN NTAPI RxPoolCheck(PVOID Buffer, PCSTR FileName, ULONG LineNumber);
/* As in ntrxdef.h. */
RXPOOL_API BOOLEAN NTAPI RxPoolConfigure(PCSZ Options);
RXPOOL_API SIZE_T NTAPI RxPoolReadReports(PVOID Buffer, SIZE_T Bytes, PULONG Dropped);
RXPOOL_API SIZE_T NTAPI RxPoolUnload(VOID);

/* A size as the ULONG parameter takes it: MAXULONG where it does not fit. */
FORCEINLINE ULONG RxPoolUlongSize(SIZE_T Size) {
    return (ULONG)Size == Size ? (ULONG)Size : 0xFFFFFFFFu;
}

#ifdef __cplusplus
}
#endif

#undef RxAllocatePoolWithTag
#undef RxAllocatePool
#undef RxFreePool
#undef RxFreePoolWithTag
#undef RxCheckMemoryBlock
#define RxAllocatePoolWithTag(type, size, tag)                                                     \
    RxPoolAllocate((ULONG)(type), RxPoolUlongSize(size), (tag), __FILE__, __LINE__)
#define RxAllocatePool(type, size) RxAllocatePoolWithTag(type, size, 0x3F3F7852u)
#define RxFreePool(ptr) RxPoolFree((ptr), __FILE__, __LINE__)
#define RxFreePoolWithTag(ptr, tag) RxPoolFreeWithTag((ptr), (tag), __FILE__, __LINE__)
#define RxCheckMemoryBlock(ptr) RxPoolCheck((ptr), __FILE__, __LINE__)

#endif

#endif
