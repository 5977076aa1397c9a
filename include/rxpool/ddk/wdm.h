/*
 * The kit's own wdm.h, and after it what that kit lacks of the pool's interface, each only where it
 * is missing. Reached from the kit's ntddk.h and ntifs.h too.
 */
#ifndef RXPOOL_DDK_WDM_H
#define RXPOOL_DDK_WDM_H

#include_next <wdm.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The kit reads these from a page that Windows maps into every process. See nt/wdm.h. */
#undef KeQuerySystemTime
#undef KeQueryInterruptTime
#undef KeQueryTickCount
NTKERNELAPI VOID NTAPI KeQuerySystemTime(PLARGE_INTEGER CurrentTime);
NTKERNELAPI ULONGLONG NTAPI KeQueryInterruptTime(VOID);
NTKERNELAPI VOID NTAPI KeQueryTickCount(PLARGE_INTEGER CurrentCount);

#ifndef KeMemoryBarrier
#define KeMemoryBarrier() __sync_synchronize()
#endif

#ifndef POOL_NX_ALLOCATION
#define POOL_NX_ALLOCATION 512
#endif
#ifndef POOL_ZERO_ALLOCATION
#define POOL_ZERO_ALLOCATION 1024
#endif
#ifndef PROTECTED_POOL
#define PROTECTED_POOL 0x80000000
#endif

#ifndef POOL_FLAG_NON_PAGED
typedef ULONG64 POOL_FLAGS;
#define POOL_FLAG_USE_QUOTA 0x0000000000000001ULL
#define POOL_FLAG_UNINITIALIZED 0x0000000000000002ULL
#define POOL_FLAG_SESSION 0x0000000000000004ULL
#define POOL_FLAG_CACHE_ALIGNED 0x0000000000000008ULL
#define POOL_FLAG_RAISE_ON_FAILURE 0x0000000000000020ULL
#define POOL_FLAG_NON_PAGED 0x0000000000000040ULL
#define POOL_FLAG_NON_PAGED_EXECUTE 0x0000000000000080ULL
#define POOL_FLAG_PAGED 0x0000000000000100ULL
#define POOL_FLAG_SPECIAL_POOL 0x0000000100000000ULL
NTKERNELAPI PVOID NTAPI ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag);
NTKERNELAPI PVOID NTAPI ExAllocatePoolZero(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);
NTKERNELAPI PVOID NTAPI ExAllocatePoolUninitialized(POOL_TYPE PoolType, SIZE_T NumberOfBytes,
                                                    ULONG Tag);
NTKERNELAPI PVOID NTAPI ExAllocatePoolPriorityZero(POOL_TYPE PoolType, SIZE_T NumberOfBytes,
                                                   ULONG Tag, EX_POOL_PRIORITY Priority);
NTKERNELAPI PVOID NTAPI ExAllocatePoolPriorityUninitialized(POOL_TYPE PoolType,
                                                            SIZE_T NumberOfBytes, ULONG Tag,
                                                            EX_POOL_PRIORITY Priority);
NTKERNELAPI PVOID NTAPI ExAllocatePoolQuotaZero(POOL_TYPE PoolType, SIZE_T NumberOfBytes,
                                                ULONG Tag);
NTKERNELAPI PVOID NTAPI ExAllocatePoolQuotaUninitialized(POOL_TYPE PoolType, SIZE_T NumberOfBytes,
                                                         ULONG Tag);
#endif

#ifdef __cplusplus
}
#endif

#endif
