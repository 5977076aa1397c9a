/*
 * The RDBSS pool routines: RxAllocatePoolWithTag, RxFreePool, RxCheckMemoryBlock and their
 * relatives. Follows the public pages "Pool Allocation and Free Routines" (installable file
 * systems) and those of the single routines. Works after any kit's wdm.h, ntddk.h or ntifs.h, and
 * alone over rxpool's own.
 *
 *   free build     (DBG absent or 0)  the names are aliases of the executive's: same object code
 *   checked build  (DBG=1)            the names record file and line, and every block carries an
 *                                     RX_POOL_HEADER and guard bytes
 *
 * RXPOOL_CHECKED=0 or 1 chooses the build whatever DBG says. A file may #undef a name after this
 * header and define its own; including the header again leaves that alone.
 *
 * RXPOOL_USE_POOL2, defined before this header, lets the free build allocate by ExAllocatePool2,
 * for kits that deprecate ExAllocatePoolWithTag: nonpaged types become POOL_FLAG_NON_PAGED (no
 * execute), paged ones POOL_FLAG_PAGED, cache-aligned ones add POOL_FLAG_CACHE_ALIGNED; memory
 * stays uninitialised unless POOL_ZERO_ALLOCATION asks for zeroes; POOL_RAISE_IF_ALLOCATION_FAILURE
 * becomes POOL_FLAG_RAISE_ON_FAILURE; advice (POOL_COLD_ALLOCATION) is dropped.
 */
#ifndef _NTRXDEF_
#define _NTRXDEF_

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

/* The routines below are exported where a kit's own macros for that would mean an import. */
#ifdef __ELF__
#define RXPOOL_API __attribute__((visibility("default")))
#else
#define RXPOOL_API
#endif

/*
 * Inline, and a function of the file's own where its address is taken (not every kit's FORCEINLINE
 * is).
 */
#if defined(__GNUC__)
#define RXPOOL_INLINE static __inline__ __attribute__((always_inline, unused))
#else
#define RXPOOL_INLINE static __forceinline
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The tag of RxAllocatePool: '??xR', shown in memory order as "Rx??". */
#define RX_POOL_DEFAULT_TAG 0x3F3F7852u

/*
 * What the checked build writes in front of a block. It ends where the caller's block begins, and
 * its first word is the tag. Read it for a debugger's sake; RxCheckMemoryBlock is what judges it.
 * 32 bytes on every platform, so that the block stays 16-byte aligned.
 */
typedef struct _RX_POOL_HEADER {
    ULONG Tag;       /* as given to the allocation */
    ULONG Signature; /* RX_POOL_SIGNATURE */
    ULONGLONG Size;  /* bytes that the caller asked for */
    ULONG Type;      /* POOL_TYPE with its modifiers */
    ULONG State;     /* an RX_POOL_STATE_ value */
    ULONG Back;      /* bytes from the caller's block back to the start of the memory it lies in */
    ULONG Check;     /* over State and the address of the block; its last byte is a guard */
} RX_POOL_HEADER, *PRX_POOL_HEADER;

#define RX_POOL_SIGNATURE 0x48507852u       /* "RxPH" in memory order */
#define RX_POOL_STATE_ALLOCATED 0x636F6C41u /* "Aloc": of the pool, handed out */
#define RX_POOL_STATE_SIGNED 0x6E676953u    /* "Sign": of RxSignMemoryBlock */
#define RX_POOL_STATE_FREED 0x65657246u     /* "Free": freed, or unsigned */

/*
 * Whether Buffer is a live block whose header and guard bytes are whole. FileName and LineNumber
 * are those of the caller, for the report. Answers FALSE, and never faults, for any other pointer.
 * Both builds have this routine. IRQL <= APC_LEVEL; nonpaged blocks also at DISPATCH_LEVEL.
 */
RXPOOL_API BOOLEAN NTAPI _RxCheckMemoryBlock(PVOID Buffer, PSZ FileName, ULONG LineNumber);

#if RXPOOL_CHECKED

/* Bytes that RxSignMemoryBlock takes of the memory it is given: the header and a guard behind. */
#define RX_POOL_SIGNED_OVERHEAD (sizeof(RX_POOL_HEADER) + 16)

/*
 * Allocates Size bytes of pool Type (a POOL_TYPE with modifiers) under Tag, with a header in front
 * and guard bytes behind; calls ExAllocatePoolWithTagPriority with LowPoolPriority. NULL when
 * memory is short, and, with a report, for MAXULONG: what the macro makes of a size that does not
 * fit a ULONG. FileName must stay readable during the call only. IRQL <= DISPATCH_LEVEL; paged <=
 * APC_LEVEL.
 */
RXPOOL_API VOID *NTAPI _RxAllocatePoolWithTag(ULONG Type, ULONG Size, ULONG Tag, PSZ FileName,
                                              ULONG LineNumber);

/*
 * Frees a block of _RxAllocatePoolWithTag. IRQL <= APC_LEVEL; a nonpaged block <= DISPATCH_LEVEL.
 */
RXPOOL_API VOID NTAPI _RxFreePool(PVOID Buffer, PSZ FileName, ULONG LineNumber);

/* The same, and stops when Tag is neither 0 nor the block's. */
RXPOOL_API VOID NTAPI _RxFreePoolWithTag(PVOID Buffer, ULONG Tag, PSZ FileName, ULONG LineNumber);

/*
 * Allocates a plain executive block, without a header, which another component will free with
 * ExFreePool: it is recorded with its site, and reported when it leaks. Otherwise as above.
 */
RXPOOL_API VOID *NTAPI _RxAllocatePoolForOthers(ULONG Type, SIZE_T Size, ULONG Tag, PSZ FileName,
                                                ULONG LineNumber);

/*
 * Writes a header and guard into Bytes of Memory that the driver got elsewhere, and answers the
 * block inside, Bytes - RX_POOL_SIGNED_OVERHEAD long; NULL when Memory is not 16-byte aligned or
 * Bytes is not larger than the overhead. The block passes RxCheckMemoryBlock until it is unsigned,
 * and is never given to RxFreePool. IRQL <= DISPATCH_LEVEL.
 */
RXPOOL_API VOID *NTAPI _RxSignMemoryBlock(PVOID Memory, SIZE_T Bytes, ULONG Type, ULONG Tag,
                                          PSZ FileName, ULONG LineNumber);

/* Checks and ends a signed block; answers the Memory that was signed. IRQL <= DISPATCH_LEVEL. */
RXPOOL_API VOID *NTAPI _RxUnsignMemoryBlock(PVOID Block, PSZ FileName, ULONG LineNumber);

/*
 * Checks every live block; answers how many are damaged, each with a warning. Freed blocks that still
 * wait in the quarantine are checked too, and given back. IRQL <= APC_LEVEL.
 */
RXPOOL_API SIZE_T NTAPI RxCheckAllMemoryBlocks(VOID);

/*
 * Options for a driver, as RXPOOL_OPTIONS gives them to a program: "key=value:key=value", behind
 * "on_error=log", of at most 240 characters. Call it first in DriverEntry: FALSE, with nothing changed, once
 * another Rx routine has been called, and in user mode, where options are the user's. Any IRQL.
 */
RXPOOL_API BOOLEAN NTAPI RxPoolConfigure(PCSZ Options);

/*
 * Takes what was reported and not yet taken, for a driver that keeps a log: up to Bytes bytes of
 * text into Buffer, not terminated; answers how many. 16 KiB wait at most; *Dropped, where Dropped is
 * not NULL, gets how many reports found no room since the last call. They all go to the debugger
 * too. In user mode reports are written at once, and there are none. IRQL <= DISPATCH_LEVEL.
 */
RXPOOL_API SIZE_T NTAPI RxPoolReadReports(PVOID Buffer, SIZE_T Bytes, PULONG Dropped);

/*
 * For DriverUnload: empties the quarantine, checks it, and reports every block that is still live,
 * by tag and site. In a kernel it then frees what the checked build keeps for itself, unless something
 * is still live. In user mode it searches for references as RxPoolScan does, and tells the blocks
 * that are lost from those that something still holds. Answers how many there are, lost or held.
 * IRQL = PASSIVE_LEVEL.
 */
RXPOOL_API SIZE_T NTAPI RxPoolUnload(VOID);

/*
 * Searches for references, and reports the live blocks that the program cannot reach any more: no
 * register, stack, thread-local or global variable or other memory holds an address in them, and no
 * block that is reached itself. Answers how many they are, 0 also where there is no search (in a
 * kernel, or with a line in the report that says why). Other threads are stopped by a signal for
 * the time, at most two seconds and what reading the memory takes; system calls of theirs may end
 * with EINTR. An address that only the system knows, or that is not aligned, holds nothing.
 * IRQL = PASSIVE_LEVEL.
 */
RXPOOL_API SIZE_T NTAPI RxPoolScan(VOID);

/*
 * Sets a mark in the course of allocations and answers its number: 1, 2, 3 and so on. What begins to
 * be allocated after this has returned is behind the mark, what was allocated before it was called
 * is not. Costs one atomic operation; a process has 4,294,967,295 marks. Any IRQL.
 */
RXPOOL_API ULONG NTAPI RxPoolMark(VOID);

/*
 * Reports every block that was allocated since RxPoolMark answered Mark, by whichever thread, and is
 * still live: by tag and site, as RxPoolUnload does; says nothing when there is none. Answers how
 * many they are. Mark 0: since the start. The program goes on, leaks=fatal too. IRQL = PASSIVE_LEVEL.
 */
RXPOOL_API SIZE_T NTAPI RxPoolLeaksSince(ULONG Mark);

/*
 * Functions behind the macros below, for code that takes the bare name: they have the types
 * ALLOCATE_FUNCTION and FREE_FUNCTION of lookaside lists. Their blocks show no site.
 */
RXPOOL_API PVOID NTAPI RxAllocatePoolWithTag(POOL_TYPE Type, SIZE_T Size, ULONG Tag);
RXPOOL_API PVOID NTAPI RxAllocatePool(POOL_TYPE Type, SIZE_T Size);
RXPOOL_API VOID NTAPI RxFreePool(PVOID Buffer);
RXPOOL_API VOID NTAPI RxFreePoolWithTag(PVOID Buffer, ULONG Tag);

/* A size as the ULONG parameter takes it: MAXULONG, which is refused, where it does not fit. */
RXPOOL_INLINE ULONG RxPoolSize(SIZE_T Size) {
    return (ULONG)Size == Size ? (ULONG)Size : 0xFFFFFFFFu;
}

#define RxAllocatePoolWithTag(type, size, tag)                                                     \
    _RxAllocatePoolWithTag((ULONG)(type), RxPoolSize(size), (tag), (PSZ)__FILE__, __LINE__)
#define RxAllocatePool(type, size) RxAllocatePoolWithTag(type, size, RX_POOL_DEFAULT_TAG)
#define RxFreePool(ptr) _RxFreePool((ptr), (PSZ)__FILE__, __LINE__)
#define RxFreePoolWithTag(ptr, tag) _RxFreePoolWithTag((ptr), (tag), (PSZ)__FILE__, __LINE__)
#define RxCheckMemoryBlock(ptr) _RxCheckMemoryBlock((ptr), (PSZ)__FILE__, __LINE__)
#define RxAllocatePoolForOthers(type, size, tag)                                                   \
    _RxAllocatePoolForOthers((ULONG)(type), (size), (tag), (PSZ)__FILE__, __LINE__)
#define RxSignMemoryBlock(memory, bytes, type, tag)                                                \
    _RxSignMemoryBlock((memory), (bytes), (ULONG)(type), (tag), (PSZ)__FILE__, __LINE__)
#define RxUnsignMemoryBlock(block) _RxUnsignMemoryBlock((block), (PSZ)__FILE__, __LINE__)

#else /* free build */

#define RX_POOL_SIGNED_OVERHEAD 0

#ifdef RXPOOL_USE_POOL2
/* ExAllocatePoolWithTag by way of ExAllocatePool2; see the top of this file for the mapping. */
RXPOOL_INLINE PVOID NTAPI RxAllocateByPool2(POOL_TYPE Type, SIZE_T Size, ULONG Tag) {
    ULONG type = (ULONG)Type;
    ULONGLONG flags = (type & 1) ? POOL_FLAG_PAGED : POOL_FLAG_NON_PAGED;

    if (type & 4)
        flags |= POOL_FLAG_CACHE_ALIGNED;
    if (!(type & POOL_ZERO_ALLOCATION))
        flags |= POOL_FLAG_UNINITIALIZED;
    if (type & POOL_RAISE_IF_ALLOCATION_FAILURE)
        flags |= POOL_FLAG_RAISE_ON_FAILURE;
    return ExAllocatePool2(flags, Size, Tag);
}
#define RxAllocatePoolWithTag RxAllocateByPool2
#else
#define RxAllocatePoolWithTag ExAllocatePoolWithTag
#endif

#define RxFreePool ExFreePool
#define RxFreePoolWithTag ExFreePoolWithTag
#define RxAllocatePool(type, size) RxAllocatePoolWithTag(type, size, RX_POOL_DEFAULT_TAG)
#define RxAllocatePoolForOthers RxAllocatePoolWithTag

/* Direct calls of the documented routines become direct calls of the executive's. */
#define _RxAllocatePoolWithTag(type, size, tag, file, line)                                        \
    RxAllocatePoolWithTag((POOL_TYPE)(type), size, tag)
#define _RxFreePool(ptr, file, line) ExFreePool(ptr)
#define _RxFreePoolWithTag(ptr, tag, file, line) ExFreePoolWithTag(ptr, tag)

/* The answers of checks that a free build does not make: no code, arguments not evaluated. */
RXPOOL_INLINE BOOLEAN RxUncheckedBlock(VOID) {
    return TRUE;
}
RXPOOL_INLINE SIZE_T RxUncheckedCount(VOID) {
    return 0;
}
#define RxCheckMemoryBlock(ptr) RxUncheckedBlock()
#define RxCheckAllMemoryBlocks() RxUncheckedCount()
#define RxPoolConfigure(options) ((BOOLEAN)RxUncheckedCount())
#define RxPoolReadReports(buffer, bytes, dropped) RxUncheckedCount()
#define RxPoolUnload() RxUncheckedCount()
#define RxPoolScan() RxUncheckedCount()
#define RxPoolMark() ((ULONG)RxUncheckedCount())
#define RxPoolLeaksSince(mark) RxUncheckedCount()
#define RxSignMemoryBlock(memory, bytes, type, tag) ((PVOID)(memory))
#define RxUnsignMemoryBlock(block) ((PVOID)(block))

#endif

#ifdef __cplusplus
}
#endif

#endif
