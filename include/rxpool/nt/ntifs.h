/* What file systems and redirectors include: ntddk.h, and the pool calls of the FsRtl routines. */
#ifndef _NTIFS_
#define _NTIFS_
#define _NTIFS_INCLUDED_

#include "ntddk.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * ExAllocatePoolWithTag and its relatives, raising STATUS_INSUFFICIENT_RESOURCES where those answer
 * NULL. Without a tag: "None". IRQL <= DISPATCH_LEVEL; paged pool <= APC_LEVEL.
 */
NTKERNELAPI PVOID NTAPI FsRtlAllocatePool(POOL_TYPE PoolType, ULONG NumberOfBytes);
NTKERNELAPI PVOID NTAPI FsRtlAllocatePoolWithTag(POOL_TYPE PoolType, ULONG NumberOfBytes,
                                                 ULONG Tag);
NTKERNELAPI PVOID NTAPI FsRtlAllocatePoolWithQuota(POOL_TYPE PoolType, ULONG NumberOfBytes);
NTKERNELAPI PVOID NTAPI FsRtlAllocatePoolWithQuotaTag(POOL_TYPE PoolType, ULONG NumberOfBytes,
                                                      ULONG Tag);

#define FsRtlEnterFileSystem() KeEnterCriticalRegion()
#define FsRtlExitFileSystem() KeLeaveCriticalRegion()

/*
 * The block's size, whole pages from a page up, and whether its quota is charged; 0 for what is no
 * block. IRQL <= DISPATCH_LEVEL
 */
NTKERNELAPI SIZE_T NTAPI ExQueryPoolBlockSize(PVOID PoolBlock, PBOOLEAN QuotaCharged);

#ifdef __cplusplus
}
#endif

#endif
