/*
 * The part of the driver kit's wdm.h that rxpool serves in user mode: everything declared here is
 * implemented by the library. Names, types and layouts follow the public pages of wdm.h; where a
 * page gives an IRQL, so does the comment. "Raises" means ExRaiseStatus.
 */
#ifndef _WDMDDK_
#define _WDMDDK_

#include <string.h>

#include "ntdef.h"
#include "ntstatus.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- types ------------------------------------------------------------------------------------ */

/* Objects that callers only point to. */
typedef struct _KTHREAD *PKTHREAD, *PRKTHREAD;
typedef struct _ETHREAD *PETHREAD;
typedef struct _EPROCESS *PEPROCESS;
typedef struct _OBJECT_TYPE *POBJECT_TYPE;

typedef UCHAR KIRQL, *PKIRQL;
typedef ULONG_PTR KSPIN_LOCK, *PKSPIN_LOCK;
typedef CCHAR KPROCESSOR_MODE;
typedef enum _MODE { KernelMode, UserMode, MaximumMode } MODE;
typedef LONG KPRIORITY;

typedef struct _CLIENT_ID {
    HANDLE UniqueProcess;
    HANDLE UniqueThread;
} CLIENT_ID, *PCLIENT_ID;

/* --- IRQL ------------------------------------------------------------------------------------- */

#define PASSIVE_LEVEL 0
#define LOW_LEVEL 0
#define APC_LEVEL 1
#define DISPATCH_LEVEL 2
#define HIGH_LEVEL 15

/*
 * The IRQL is a property of the calling thread, PASSIVE_LEVEL at its start. It takes nothing away
 * from other threads; it is what the pool's rules are checked against.
 */
NTKERNELAPI KIRQL NTAPI KeGetCurrentIrql(VOID);
/* Raises to NewIrql and answers the old one; NewIrql >= the current IRQL. */
NTKERNELAPI KIRQL NTAPI KfRaiseIrql(KIRQL NewIrql);
/* Back to the IRQL that raising answered; NewIrql <= the current IRQL. */
NTKERNELAPI VOID NTAPI KeLowerIrql(KIRQL NewIrql);
/* KfRaiseIrql(DISPATCH_LEVEL). */
NTKERNELAPI KIRQL NTAPI KeRaiseIrqlToDpcLevel(VOID);
#define KeRaiseIrql(NewIrql, OldIrql) (*(OldIrql) = KfRaiseIrql(NewIrql))

/* --- assertions, debug output, stops ---------------------------------------------------------- */

/* Prints as printf does, on stderr; answers STATUS_SUCCESS. Any IRQL. */
NTSYSAPI ULONG DbgPrint(PCSTR Format, ...) __attribute__((format(printf, 1, 2)));
/* Reports a failed assertion of a checked build and ends the process. */
NTSYSAPI DECLSPEC_NORETURN VOID NTAPI RtlAssert(PVOID FailedAssertion, PVOID FileName,
                                                ULONG LineNumber, PSTR Message);
/* The stop report with this code and these parameters, then the end of the process. Any IRQL. */
NTKERNELAPI DECLSPEC_NORETURN VOID NTAPI KeBugCheckEx(ULONG BugCheckCode, ULONG_PTR Parameter1,
                                                      ULONG_PTR Parameter2, ULONG_PTR Parameter3,
                                                      ULONG_PTR Parameter4);

#if defined(DBG) && DBG
#define ASSERT(e)                                                                                  \
    ((e) ? (void)0 : RtlAssert((PVOID)(ULONG_PTR) #e, (PVOID)(ULONG_PTR)__FILE__, __LINE__, NULL))
#define ASSERTMSG(msg, e)                                                                          \
    ((e) ? (void)0                                                                                 \
         : RtlAssert((PVOID)(ULONG_PTR) #e, (PVOID)(ULONG_PTR)__FILE__, __LINE__, (PSTR)(msg)))
#define KdPrint(args) DbgPrint args
#define PAGED_CODE() ASSERT(KeGetCurrentIrql() <= APC_LEVEL)
#else
#define ASSERT(e) ((void)0)
#define ASSERTMSG(msg, e) ((void)0)
#define KdPrint(args) ((void)0)
#define PAGED_CODE() ((void)0)
#endif

/* --- exceptions ------------------------------------------------------------------------------- */

/*
 * Raises Status in the calling thread: the nearest _SEH2_TRY of <pseh/pseh2.h> whose filter takes
 * it goes on; with none, stop 0x1E (Status, address, 0, 0).
 */
NTKERNELAPI DECLSPEC_NORETURN VOID NTAPI ExRaiseStatus(NTSTATUS Status);

/* --- memory and strings ----------------------------------------------------------------------- */

#define RtlCopyMemory(Destination, Source, Length) memcpy((Destination), (Source), (Length))
#define RtlMoveMemory(Destination, Source, Length) memmove((Destination), (Source), (Length))
#define RtlFillMemory(Destination, Length, Fill) memset((Destination), (Fill), (Length))
#define RtlZeroMemory(Destination, Length) memset((Destination), 0, (Length))
#define RtlEqualMemory(Source1, Source2, Length) (!memcmp((Source1), (Source2), (Length)))
/* Bytes that are equal from the start on; Length when all are. */
NTSYSAPI SIZE_T NTAPI RtlCompareMemory(const VOID *Source1, const VOID *Source2, SIZE_T Length);

/* A counted view of SourceString, which stays the caller's; NULL gives the empty string. */
NTSYSAPI VOID NTAPI RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString);
/* Copies what fits into MaximumLength; terminates where there is room. NULL gives length 0. */
NTSYSAPI VOID NTAPI RtlCopyUnicodeString(PUNICODE_STRING DestinationString,
                                         PCUNICODE_STRING SourceString);
/* Same length and code units; CaseInSensitive folds A to Z with a to z, and no other letters. */
NTSYSAPI BOOLEAN NTAPI RtlEqualUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2,
                                             BOOLEAN CaseInSensitive);
/* Negative, 0 or positive as String1 sorts before, with or after String2, by code unit. */
NTSYSAPI LONG NTAPI RtlCompareUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2,
                                            BOOLEAN CaseInSensitive);
#define RTL_CONSTANT_STRING(s)                                                                     \
    { sizeof(s) - sizeof((s)[0]), sizeof(s), s }

/* --- doubly linked lists ---------------------------------------------------------------------- */

FORCEINLINE VOID InitializeListHead(PLIST_ENTRY Head) {
    Head->Flink = Head->Blink = Head;
}

FORCEINLINE BOOLEAN IsListEmpty(const LIST_ENTRY *Head) {
    return Head->Flink == Head;
}

/* TRUE when the list is empty afterwards. */
FORCEINLINE BOOLEAN RemoveEntryList(PLIST_ENTRY Entry) {
    PLIST_ENTRY next = Entry->Flink, previous = Entry->Blink;

    previous->Flink = next;
    next->Blink = previous;
    return next == previous;
}

FORCEINLINE PLIST_ENTRY RemoveHeadList(PLIST_ENTRY Head) {
    PLIST_ENTRY entry = Head->Flink;

    RemoveEntryList(entry);
    return entry;
}

FORCEINLINE PLIST_ENTRY RemoveTailList(PLIST_ENTRY Head) {
    PLIST_ENTRY entry = Head->Blink;

    RemoveEntryList(entry);
    return entry;
}

FORCEINLINE VOID InsertHeadList(PLIST_ENTRY Head, PLIST_ENTRY Entry) {
    PLIST_ENTRY first = Head->Flink;

    Entry->Flink = first;
    Entry->Blink = Head;
    first->Blink = Entry;
    Head->Flink = Entry;
}

FORCEINLINE VOID InsertTailList(PLIST_ENTRY Head, PLIST_ENTRY Entry) {
    PLIST_ENTRY last = Head->Blink;

    Entry->Flink = Head;
    Entry->Blink = last;
    last->Flink = Entry;
    Head->Blink = Entry;
}

/* --- singly linked lists ---------------------------------------------------------------------- */

FORCEINLINE VOID PushEntryList(PSINGLE_LIST_ENTRY Head, PSINGLE_LIST_ENTRY Entry) {
    Entry->Next = Head->Next;
    Head->Next = Entry;
}

/* NULL when the list is empty. */
FORCEINLINE PSINGLE_LIST_ENTRY PopEntryList(PSINGLE_LIST_ENTRY Head) {
    PSINGLE_LIST_ENTRY first = Head->Next;

    if (first != NULL)
        Head->Next = first->Next;
    return first;
}

/* --- S-lists: lock-free stacks ---------------------------------------------------------------- */

typedef struct DECLSPEC_ALIGN(16) _SLIST_ENTRY {
    struct _SLIST_ENTRY *Next;
} SLIST_ENTRY, *PSLIST_ENTRY;

/*
 * Opaque to callers; 16-byte aligned. NextEntry is the first entry's address without its low 4
 * bits.
 */
typedef union DECLSPEC_ALIGN(16) _SLIST_HEADER {
    __extension__ struct {
        ULONGLONG Alignment;
        ULONGLONG Region;
    };
    struct {
        ULONGLONG Depth : 16;
        ULONGLONG Sequence : 48;
        ULONGLONG HeaderType : 1;
        ULONGLONG Reserved : 3;
        ULONGLONG NextEntry : 60;
    } HeaderX64;
} SLIST_HEADER, *PSLIST_HEADER;

/*
 * Makes the list empty. Head and every entry must be 16-byte aligned. Any IRQL, as all S-list
 * calls.
 */
NTKERNELAPI VOID NTAPI InitializeSListHead(PSLIST_HEADER Head);
/* Entries on the list, modulo 65,536. */
NTKERNELAPI USHORT NTAPI ExQueryDepthSList(PSLIST_HEADER Head);
/* Removes and answers the newest entry; NULL when there is none. */
NTKERNELAPI PSLIST_ENTRY NTAPI ExpInterlockedPopEntrySList(PSLIST_HEADER Head);
/* Puts Entry first; answers the entry that was first, or NULL. */
NTKERNELAPI PSLIST_ENTRY NTAPI ExpInterlockedPushEntrySList(PSLIST_HEADER Head, PSLIST_ENTRY Entry);
/* Empties the list; answers its first entry, through which the rest are linked. */
NTKERNELAPI PSLIST_ENTRY NTAPI ExpInterlockedFlushSList(PSLIST_HEADER Head);

/* Lock is not used, as on every 64-bit Windows. */
#define ExInitializeSListHead(Head) InitializeSListHead(Head)
#define ExInterlockedPopEntrySList(Head, Lock) ExpInterlockedPopEntrySList(Head)
#define ExInterlockedPushEntrySList(Head, Entry, Lock) ExpInterlockedPushEntrySList(Head, Entry)
#define ExInterlockedFlushSList(Head) ExpInterlockedFlushSList(Head)
#define InterlockedPopEntrySList(Head) ExpInterlockedPopEntrySList(Head)
#define InterlockedPushEntrySList(Head, Entry) ExpInterlockedPushEntrySList(Head, Entry)
#define InterlockedFlushSList(Head) ExpInterlockedFlushSList(Head)
#define QueryDepthSList(Head) ExQueryDepthSList(Head)

/* --- interlocked operations: full barriers ---------------------------------------------------- */

FORCEINLINE LONG InterlockedIncrement(volatile LONG *Addend) {
    return __atomic_add_fetch(Addend, 1, __ATOMIC_SEQ_CST);
}
FORCEINLINE LONG InterlockedDecrement(volatile LONG *Addend) {
    return __atomic_sub_fetch(Addend, 1, __ATOMIC_SEQ_CST);
}
/* Answers the old value, as Exchange and CompareExchange do. */
FORCEINLINE LONG InterlockedExchangeAdd(volatile LONG *Addend, LONG Value) {
    return __atomic_fetch_add(Addend, Value, __ATOMIC_SEQ_CST);
}
FORCEINLINE LONG InterlockedExchange(volatile LONG *Target, LONG Value) {
    return __atomic_exchange_n(Target, Value, __ATOMIC_SEQ_CST);
}
FORCEINLINE LONG InterlockedCompareExchange(volatile LONG *Target, LONG Exchange, LONG Comperand) {
    return __sync_val_compare_and_swap(Target, Comperand, Exchange);
}
FORCEINLINE LONG InterlockedOr(volatile LONG *Target, LONG Set) {
    return __atomic_fetch_or(Target, Set, __ATOMIC_SEQ_CST);
}
FORCEINLINE LONG InterlockedAnd(volatile LONG *Target, LONG Mask) {
    return __atomic_fetch_and(Target, Mask, __ATOMIC_SEQ_CST);
}
FORCEINLINE LONG64 InterlockedIncrement64(volatile LONG64 *Addend) {
    return __atomic_add_fetch(Addend, 1, __ATOMIC_SEQ_CST);
}
FORCEINLINE LONG64 InterlockedDecrement64(volatile LONG64 *Addend) {
    return __atomic_sub_fetch(Addend, 1, __ATOMIC_SEQ_CST);
}
FORCEINLINE LONG64 InterlockedExchangeAdd64(volatile LONG64 *Addend, LONG64 Value) {
    return __atomic_fetch_add(Addend, Value, __ATOMIC_SEQ_CST);
}
FORCEINLINE LONG64 InterlockedCompareExchange64(volatile LONG64 *Target, LONG64 Exchange,
                                                LONG64 Comperand) {
    return __sync_val_compare_and_swap(Target, Comperand, Exchange);
}
FORCEINLINE PVOID InterlockedExchangePointer(PVOID volatile *Target, PVOID Value) {
    return __atomic_exchange_n(Target, Value, __ATOMIC_SEQ_CST);
}
FORCEINLINE PVOID InterlockedCompareExchangePointer(PVOID volatile *Target, PVOID Exchange,
                                                    PVOID Comperand) {
    return __sync_val_compare_and_swap(Target, Comperand, Exchange);
}
FORCEINLINE VOID KeMemoryBarrier(VOID) {
    __sync_synchronize();
}

/* --- spin locks and fast mutexes -------------------------------------------------------------- */

NTKERNELAPI VOID NTAPI KeInitializeSpinLock(PKSPIN_LOCK SpinLock);
/*
 * Raises to DISPATCH_LEVEL, takes the lock and answers the old IRQL. Not recursive. <=
 * DISPATCH_LEVEL
 */
NTKERNELAPI KIRQL NTAPI KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock);
/* Gives the lock back and lowers to NewIrql. IRQL = DISPATCH_LEVEL */
NTKERNELAPI VOID NTAPI KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql);
/* The same two without a change of IRQL. IRQL >= DISPATCH_LEVEL */
NTKERNELAPI VOID NTAPI KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock);
NTKERNELAPI VOID NTAPI KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock);
#define KeAcquireSpinLock(SpinLock, OldIrql) (*(OldIrql) = KeAcquireSpinLockRaiseToDpc(SpinLock))

/* --- dispatcher objects ----------------------------------------------------------------------- */

typedef enum _EVENT_TYPE { NotificationEvent, SynchronizationEvent } EVENT_TYPE;

/* What every object that can be waited for begins with. */
typedef struct _DISPATCHER_HEADER {
    __extension__ union {
        __extension__ struct {
            UCHAR Type;
            UCHAR Abandoned;
            UCHAR Size;
            UCHAR Inserted;
        };
        volatile LONG Lock;
    };
    LONG SignalState;
    LIST_ENTRY WaitListHead;
} DISPATCHER_HEADER, *PDISPATCHER_HEADER;

typedef struct _KEVENT {
    DISPATCHER_HEADER Header;
} KEVENT, *PKEVENT, *PRKEVENT;

typedef struct _KSEMAPHORE {
    DISPATCHER_HEADER Header;
    LONG Limit;
} KSEMAPHORE, *PKSEMAPHORE, *PRKSEMAPHORE;

typedef enum _KWAIT_REASON { Executive, FreePage, PageIn, PoolAllocation } KWAIT_REASON;
#define IO_NO_INCREMENT 0

/* A NotificationEvent stays set and lets all go on; a SynchronizationEvent lets one go on. */
NTKERNELAPI VOID NTAPI KeInitializeEvent(PRKEVENT Event, EVENT_TYPE Type, BOOLEAN State);
/* Sets the event; answers its former state. Increment and Wait have no effect. <= DISPATCH_LEVEL */
NTKERNELAPI LONG NTAPI KeSetEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait);
/* Clears the event; answers its former state. <= DISPATCH_LEVEL */
NTKERNELAPI LONG NTAPI KeResetEvent(PRKEVENT Event);
NTKERNELAPI VOID NTAPI KeClearEvent(PRKEVENT Event);
NTKERNELAPI LONG NTAPI KeReadStateEvent(PRKEVENT Event);

/* 0 <= Count <= Limit. */
NTKERNELAPI VOID NTAPI KeInitializeSemaphore(PRKSEMAPHORE Semaphore, LONG Count, LONG Limit);
/*
 * Adds Adjustment; answers the former count. Raises STATUS_SEMAPHORE_LIMIT_EXCEEDED past the limit.
 */
NTKERNELAPI LONG NTAPI KeReleaseSemaphore(PRKSEMAPHORE Semaphore, KPRIORITY Increment,
                                          LONG Adjustment, BOOLEAN Wait);

/*
 * Waits for an event, a semaphore or a thread. Timeout in units of 100 ns: negative is relative,
 * positive a system time, 0 does not wait, NULL waits for ever. STATUS_SUCCESS or STATUS_TIMEOUT.
 * IRQL <= APC_LEVEL; DISPATCH_LEVEL with a Timeout of 0. Alertable has no effect.
 */
NTKERNELAPI NTSTATUS NTAPI KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason,
                                                 KPROCESSOR_MODE WaitMode, BOOLEAN Alertable,
                                                 PLARGE_INTEGER Timeout);
/* Sleeps for Interval, read as Timeout above. IRQL <= APC_LEVEL */
NTKERNELAPI NTSTATUS NTAPI KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable,
                                                  PLARGE_INTEGER Interval);

/* Count is 1 when free, 0 when held, less when waited for. */
typedef struct _FAST_MUTEX {
    volatile LONG Count;
    PKTHREAD Owner;
    ULONG Contention;
    KEVENT Event;
    ULONG OldIrql;
} FAST_MUTEX, *PFAST_MUTEX;

FORCEINLINE VOID ExInitializeFastMutex(PFAST_MUTEX FastMutex) {
    FastMutex->Count = 1;
    FastMutex->Owner = NULL;
    FastMutex->Contention = 0;
    KeInitializeEvent(&FastMutex->Event, SynchronizationEvent, FALSE);
}
/* Takes the mutex and raises to APC_LEVEL. Not recursive. IRQL <= APC_LEVEL */
NTKERNELAPI VOID NTAPI ExAcquireFastMutex(PFAST_MUTEX FastMutex);
/* FALSE, and nothing done, when it is held. IRQL <= APC_LEVEL */
NTKERNELAPI BOOLEAN NTAPI ExTryToAcquireFastMutex(PFAST_MUTEX FastMutex);
/* Gives the mutex back and restores the IRQL. IRQL = APC_LEVEL */
NTKERNELAPI VOID NTAPI ExReleaseFastMutex(PFAST_MUTEX FastMutex);

/* --- resources: shared or exclusive ----------------------------------------------------------- */

typedef ULONG_PTR ERESOURCE_THREAD, *PERESOURCE_THREAD;

typedef struct _OWNER_ENTRY {
    ERESOURCE_THREAD OwnerThread;
    ULONG OwnerCount;
} OWNER_ENTRY, *POWNER_ENTRY;

/* Opaque to callers: they use the routines below only. */
typedef struct _ERESOURCE {
    LIST_ENTRY SystemResourcesList;
    POWNER_ENTRY OwnerTable;
    SHORT ActiveCount;
    USHORT Flag;
    PVOID SharedWaiters;
    PVOID ExclusiveWaiters;
    OWNER_ENTRY OwnerEntry;
    ULONG ActiveEntries;
    ULONG ContentionCount;
    ULONG NumberOfSharedWaiters;
    ULONG NumberOfExclusiveWaiters;
    PVOID Reserved2;
    PVOID Address;
    KSPIN_LOCK SpinLock;
} ERESOURCE, *PERESOURCE;

/* 8-byte aligned memory of any pool that is nonpaged. STATUS_SUCCESS. IRQL <= DISPATCH_LEVEL */
NTKERNELAPI NTSTATUS NTAPI ExInitializeResourceLite(PERESOURCE Resource);
/* Ends a resource that nobody holds. STATUS_SUCCESS. */
NTKERNELAPI NTSTATUS NTAPI ExDeleteResourceLite(PERESOURCE Resource);
/*
 * Acquire for one, or for any number that do not acquire exclusively. Recursive; the exclusive
 * owner may acquire shared. TRUE when acquired; FALSE, only without Wait, when that would have to
 * wait. <= APC_LEVEL
 */
NTKERNELAPI BOOLEAN NTAPI ExAcquireResourceExclusiveLite(PERESOURCE Resource, BOOLEAN Wait);
NTKERNELAPI BOOLEAN NTAPI ExAcquireResourceSharedLite(PERESOURCE Resource, BOOLEAN Wait);
/* Once for each acquisition, by the acquiring thread. IRQL <= DISPATCH_LEVEL */
NTKERNELAPI VOID NTAPI ExReleaseResourceLite(PERESOURCE Resource);
NTKERNELAPI BOOLEAN NTAPI ExIsResourceAcquiredExclusiveLite(PERESOURCE Resource);

/* Keeps normal APCs away; there are none in user mode, so these do nothing. IRQL <= APC_LEVEL */
NTKERNELAPI VOID NTAPI KeEnterCriticalRegion(VOID);
NTKERNELAPI VOID NTAPI KeLeaveCriticalRegion(VOID);

/* --- threads and objects ---------------------------------------------------------------------- */

typedef VOID(NTAPI KSTART_ROUTINE)(PVOID StartContext);
typedef KSTART_ROUTINE *PKSTART_ROUTINE;
#define THREAD_ALL_ACCESS 0x1FFFFF
#define OBJ_KERNEL_HANDLE 0x00000200
#define InitializeObjectAttributes(p, n, a, r, s)                                                  \
    ((p)->Length = sizeof(OBJECT_ATTRIBUTES), (p)->RootDirectory = (r), (p)->Attributes = (a),     \
     (p)->ObjectName = (n), (p)->SecurityDescriptor = (s), (p)->SecurityQualityOfService = NULL)

/*
 * Starts a thread that runs StartRoutine(StartContext) at PASSIVE_LEVEL. The other parameters may
 * be NULL. STATUS_SUCCESS, or STATUS_INSUFFICIENT_RESOURCES. The handle is closed by ZwClose.
 */
NTKERNELAPI NTSTATUS NTAPI PsCreateSystemThread(PHANDLE ThreadHandle, ULONG DesiredAccess,
                                                POBJECT_ATTRIBUTES ObjectAttributes,
                                                HANDLE ProcessHandle, PCLIENT_ID ClientId,
                                                PKSTART_ROUTINE StartRoutine, PVOID StartContext);
/* Ends the calling system thread. STATUS_INVALID_PARAMETER in any other thread. */
NTKERNELAPI NTSTATUS NTAPI PsTerminateSystemThread(NTSTATUS ExitStatus);
/* The calling thread's object; system threads only are objects that can be waited for. */
NTKERNELAPI PKTHREAD NTAPI KeGetCurrentThread(VOID);
NTKERNELAPI HANDLE NTAPI PsGetCurrentThreadId(VOID);
#define PsGetCurrentThread() ((PETHREAD)KeGetCurrentThread())
#define ExGetCurrentResourceThread() ((ERESOURCE_THREAD)KeGetCurrentThread())

extern NTKERNELAPI POBJECT_TYPE *PsThreadType;
/*
 * The object behind a thread handle, with a reference for the caller. STATUS_INVALID_HANDLE,
 * STATUS_OBJECT_TYPE_MISMATCH for a type that is neither NULL nor *PsThreadType. PASSIVE_LEVEL
 */
NTKERNELAPI NTSTATUS NTAPI ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess,
                                                     POBJECT_TYPE ObjectType,
                                                     KPROCESSOR_MODE AccessMode, PVOID *Object,
                                                     PVOID HandleInformation);
/* Gives a reference back; answers how many are left. <= DISPATCH_LEVEL */
NTKERNELAPI LONG_PTR FASTCALL ObfDereferenceObject(PVOID Object);
#define ObDereferenceObject ObfDereferenceObject
/* STATUS_SUCCESS or STATUS_INVALID_HANDLE. PASSIVE_LEVEL */
NTSYSAPI NTSTATUS NTAPI ZwClose(HANDLE Handle);

/* --- work items ------------------------------------------------------------------------------- */

typedef VOID(NTAPI WORKER_THREAD_ROUTINE)(PVOID Parameter);
typedef WORKER_THREAD_ROUTINE *PWORKER_THREAD_ROUTINE;

typedef struct _WORK_QUEUE_ITEM {
    LIST_ENTRY List;
    PWORKER_THREAD_ROUTINE WorkerRoutine;
    PVOID volatile Parameter;
} WORK_QUEUE_ITEM, *PWORK_QUEUE_ITEM;

typedef enum _WORK_QUEUE_TYPE {
    CriticalWorkQueue,
    DelayedWorkQueue,
    HyperCriticalWorkQueue,
    MaximumWorkQueue
} WORK_QUEUE_TYPE;

#define ExInitializeWorkItem(Item, Routine, Context)                                               \
    ((Item)->WorkerRoutine = (Routine), (Item)->Parameter = (Context), (Item)->List.Flink = NULL)
/*
 * Has a worker thread call the item's routine at PASSIVE_LEVEL; the item is the caller's again when
 * the routine starts. Higher queues go first. IRQL <= DISPATCH_LEVEL
 */
NTKERNELAPI VOID NTAPI ExQueueWorkItem(PWORK_QUEUE_ITEM WorkItem, WORK_QUEUE_TYPE QueueType);

/* --- time ------------------------------------------------------------------------------------- */

/* A monotonic count; PerformanceFrequency, unless NULL, gets its ticks per second. Any IRQL. */
NTKERNELAPI LARGE_INTEGER NTAPI KeQueryPerformanceCounter(PLARGE_INTEGER PerformanceFrequency);
/* 100 ns units since 1 January 1601 UTC. Any IRQL. */
NTKERNELAPI VOID NTAPI KeQuerySystemTime(PLARGE_INTEGER CurrentTime);
/* 100 ns units since the system started. Any IRQL. */
NTKERNELAPI ULONGLONG NTAPI KeQueryInterruptTime(VOID);
/* Ticks since the system started, each KeQueryTimeIncrement() units of 100 ns long. Any IRQL. */
NTKERNELAPI VOID NTAPI KeQueryTickCount(PLARGE_INTEGER CurrentCount);
NTKERNELAPI ULONG NTAPI KeQueryTimeIncrement(VOID);

/* --- pool ------------------------------------------------------------------------------------- */

#define PAGE_SHIFT 12
#define PAGE_SIZE 0x1000
#define ROUND_TO_PAGES(Size) (((ULONG_PTR)(Size) + PAGE_SIZE - 1) & ~(ULONG_PTR)(PAGE_SIZE - 1))

typedef enum _POOL_TYPE {
    NonPagedPool,
    NonPagedPoolExecute = NonPagedPool,
    PagedPool,
    NonPagedPoolMustSucceed,
    DontUseThisType,
    NonPagedPoolCacheAligned,
    PagedPoolCacheAligned,
    NonPagedPoolCacheAlignedMustS,
    MaxPoolType,
    NonPagedPoolBase = 0,
    NonPagedPoolBaseMustSucceed = NonPagedPoolBase + 2,
    NonPagedPoolBaseCacheAligned = NonPagedPoolBase + 4,
    NonPagedPoolBaseCacheAlignedMustS = NonPagedPoolBase + 6,
    NonPagedPoolSession = 32,
    PagedPoolSession,
    NonPagedPoolMustSucceedSession,
    DontUseThisTypeSession,
    NonPagedPoolCacheAlignedSession,
    PagedPoolCacheAlignedSession,
    NonPagedPoolCacheAlignedMustSSession,
    NonPagedPoolNx = 512,
    NonPagedPoolNxCacheAligned = NonPagedPoolNx + 4,
    NonPagedPoolSessionNx = NonPagedPoolNx + 32
} POOL_TYPE;

/* Modifiers, OR-ed into a POOL_TYPE. */
#define POOL_QUOTA_FAIL_INSTEAD_OF_RAISE 8
#define POOL_RAISE_IF_ALLOCATION_FAILURE 16
#define POOL_COLD_ALLOCATION 256
#define POOL_NX_ALLOCATION 512
#define POOL_ZERO_ALLOCATION 1024
/* OR-ed into a tag. */
#define PROTECTED_POOL 0x80000000

typedef ULONG64 POOL_FLAGS;
#define POOL_FLAG_REQUIRED_START 0x0000000000000001ULL
#define POOL_FLAG_USE_QUOTA 0x0000000000000001ULL
#define POOL_FLAG_UNINITIALIZED 0x0000000000000002ULL
#define POOL_FLAG_SESSION 0x0000000000000004ULL
#define POOL_FLAG_CACHE_ALIGNED 0x0000000000000008ULL
#define POOL_FLAG_RESERVED1 0x0000000000000010ULL
#define POOL_FLAG_RAISE_ON_FAILURE 0x0000000000000020ULL
#define POOL_FLAG_NON_PAGED 0x0000000000000040ULL
#define POOL_FLAG_NON_PAGED_EXECUTE 0x0000000000000080ULL
#define POOL_FLAG_PAGED 0x0000000000000100ULL
#define POOL_FLAG_RESERVED2 0x0000000000000200ULL
#define POOL_FLAG_RESERVED3 0x0000000000000400ULL
#define POOL_FLAG_REQUIRED_END 0x0000000080000000ULL
#define POOL_FLAG_OPTIONAL_START 0x0000000100000000ULL
#define POOL_FLAG_SPECIAL_POOL 0x0000000100000000ULL
#define POOL_FLAG_OPTIONAL_END 0x8000000000000000ULL

typedef enum _EX_POOL_PRIORITY {
    LowPoolPriority,
    LowPoolPrioritySpecialPoolOverrun = 8,
    LowPoolPrioritySpecialPoolUnderrun = 9,
    NormalPoolPriority = 16,
    NormalPoolPrioritySpecialPoolOverrun = 24,
    NormalPoolPrioritySpecialPoolUnderrun = 25,
    HighPoolPriority = 32,
    HighPoolPrioritySpecialPoolOverrun = 40,
    HighPoolPrioritySpecialPoolUnderrun = 41
} EX_POOL_PRIORITY;

/*
 * Allocates NumberOfBytes of pool PoolType (a POOL_TYPE with modifiers) for Tag, one to four
 * characters of 0x20 to 0x7E. 16-byte aligned, within a page below PAGE_SIZE, page-aligned from
 * there on; contents undefined without POOL_ZERO_ALLOCATION. NULL when memory is short, unless the
 * modifier raises STATUS_INSUFFICIENT_RESOURCES. Stops: 0xC2 with 00 (strict=args), 08, 9A, 9B, 9C,
 * 9D; 0x13A with 09 for a type that there is not. IRQL <= DISPATCH_LEVEL; paged pool <= APC_LEVEL.
 */
NTKERNELAPI PVOID NTAPI ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);
/* The same for the tag "None". */
NTKERNELAPI PVOID NTAPI ExAllocatePool(POOL_TYPE PoolType, SIZE_T NumberOfBytes);
/* The same; under limit=, Low and Normal priorities fail before the last of the memory is used. */
NTKERNELAPI PVOID NTAPI ExAllocatePoolWithTagPriority(POOL_TYPE PoolType, SIZE_T NumberOfBytes,
                                                      ULONG Tag, EX_POOL_PRIORITY Priority);
/* The same, zeroed, or with contents undefined whatever the type's modifiers say. */
NTKERNELAPI PVOID NTAPI ExAllocatePoolZero(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);
NTKERNELAPI PVOID NTAPI ExAllocatePoolUninitialized(POOL_TYPE PoolType, SIZE_T NumberOfBytes,
                                                    ULONG Tag);
NTKERNELAPI PVOID NTAPI ExAllocatePoolPriorityZero(POOL_TYPE PoolType, SIZE_T NumberOfBytes,
                                                   ULONG Tag, EX_POOL_PRIORITY Priority);
NTKERNELAPI PVOID NTAPI ExAllocatePoolPriorityUninitialized(POOL_TYPE PoolType,
                                                            SIZE_T NumberOfBytes, ULONG Tag,
                                                            EX_POOL_PRIORITY Priority);
/*
 * The same, charged to the process's quota. Raises STATUS_INSUFFICIENT_RESOURCES on failure, or
 * answers NULL with POOL_QUOTA_FAIL_INSTEAD_OF_RAISE.
 */
NTKERNELAPI PVOID NTAPI ExAllocatePoolWithQuotaTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes,
                                                   ULONG Tag);
NTKERNELAPI PVOID NTAPI ExAllocatePoolWithQuota(POOL_TYPE PoolType, SIZE_T NumberOfBytes);
NTKERNELAPI PVOID NTAPI ExAllocatePoolQuotaZero(POOL_TYPE PoolType, SIZE_T NumberOfBytes,
                                                ULONG Tag);
NTKERNELAPI PVOID NTAPI ExAllocatePoolQuotaUninitialized(POOL_TYPE PoolType, SIZE_T NumberOfBytes,
                                                         ULONG Tag);
/*
 * Allocates by POOL_FLAGS: exactly one of NON_PAGED, NON_PAGED_EXECUTE and PAGED. Zeroed unless
 * UNINITIALIZED. An unknown flag of the low 32 bits, a reserved one, no tag or no bytes: NULL, or
 * STATUS_INVALID_PARAMETER raised under RAISE_ON_FAILURE; STATUS_INSUFFICIENT_RESOURCES for want of
 * memory.
 */
NTKERNELAPI PVOID NTAPI ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag);

/*
 * Frees a block, whatever its tag. Stops: 0xC2 with 46 for NULL and for what is in no pool, 41 for
 * a part of the pool where nothing is allocated, 99 for the inside of a block, 07 for a block that
 * is free, 09 for the IRQL. Nonpaged <= DISPATCH_LEVEL, paged <= APC_LEVEL.
 */
NTKERNELAPI VOID NTAPI ExFreePool(PVOID P);
/* The same; another tag than the allocator's is stop 0xC2 with 0A. Tag 0 means any. */
NTKERNELAPI VOID NTAPI ExFreePoolWithTag(PVOID P, ULONG Tag);

/* The layouts that drivers were compiled against. */
C_ASSERT(sizeof(SLIST_HEADER) == 16);
C_ASSERT(sizeof(KEVENT) == 0x18);
C_ASSERT(sizeof(FAST_MUTEX) == 0x38);
C_ASSERT(sizeof(ERESOURCE) == 0x68);

#ifdef __cplusplus
}
#endif

#include "lookaside.h"

#endif
