/*
 * Dispatcher objects: events, semaphores and threads, and waiting for them.
 *
 * SignalState is what NT says it is, and what waiters sleep on while it is 0. A set that is reset at
 * once must let go on who slept: sets are counted in two bytes that a kernel uses otherwise, in the
 * same eight as SignalState, so that no waiter sees one of the two without the other.
 *
 *     bits 0-7 Type   8-15 sets, low   16-23 Size   24-31 sets, high   32-63 SignalState
 *
 *   signal:  SignalState and sets, at once; then wake     wait:  see it not signalled; sleep while 0
 *
 * A waiter that saw 0 and is not asleep yet when it is set does not fall asleep; one that is asleep is
 * woken. After SignalState is set the object is not touched again: whoever saw it signalled may have
 * freed it.
 */
#include "ex/dispatcher.h"
#include "ex/irql.h"
#include "plat/plat.h"
#include "plat/wait.h"

#define NS_PER_UNIT 100u

#define SETS_ONE 0x00000100u
#define SETS_BOTH 0xFF00FF00u

_Static_assert(offsetof(DISPATCHER_HEADER, SignalState) == 4, "one word with the type before it");

static uint64_t *header_word(PDISPATCHER_HEADER header) {
    return (uint64_t *)(void *)header;
}

static UCHAR type_of(uint64_t word) {
    return (UCHAR)word;
}

static LONG state_of(uint64_t word) {
    return (LONG)(word >> 32);
}

static uint32_t sets_of(uint64_t word) {
    return (uint32_t)word & SETS_BOTH;
}

/* The word with its object signalled, and one set more. */
static uint64_t signalled(uint64_t word) {
    uint32_t sets = (sets_of(word) | ~SETS_BOTH) + SETS_ONE; /* a carry passes over Size */

    return 1ull << 32 | ((uint32_t)word & ~SETS_BOTH) | (sets & SETS_BOTH);
}

static const uint32_t *sleeping_place(PDISPATCHER_HEADER header) {
    return (const uint32_t *)(const void *)&header->SignalState;
}

void dispatcher_init(PDISPATCHER_HEADER header, UCHAR type, size_t size, LONG state) {
    header->Lock = 0;
    header->Type = type;
    header->Size = (UCHAR)(size / sizeof(LONG));
    header->SignalState = state;
    header->WaitListHead.Flink = NULL;
    header->WaitListHead.Blink = NULL;
}

/* Sets an event or a thread; answers the former state. */
LONG dispatcher_signal(PDISPATCHER_HEADER header) {
    const uint32_t *place = sleeping_place(header);
    uint64_t word = __atomic_load_n(header_word(header), __ATOMIC_SEQ_CST);

    while (!__atomic_compare_exchange_n(header_word(header), &word, signalled(word), false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        continue;
    if (state_of(word) == 0)
        plat_wake(place, type_of(word) == OBJECT_SYNCHRONIZATION_EVENT ? 1 : UINT32_MAX);
    return state_of(word);
}

/* --- events ----------------------------------------------------------------------------------- */

NTKERNELAPI VOID NTAPI KeInitializeEvent(PRKEVENT Event, EVENT_TYPE Type, BOOLEAN State) {
    dispatcher_init(&Event->Header, (UCHAR)Type, sizeof *Event, State != FALSE);
}

NTKERNELAPI LONG NTAPI KeSetEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait) {
    (void)Increment;
    (void)Wait;
    return dispatcher_signal(&Event->Header);
}

NTKERNELAPI LONG NTAPI KeResetEvent(PRKEVENT Event) {
    return __atomic_exchange_n(&Event->Header.SignalState, 0, __ATOMIC_SEQ_CST);
}

NTKERNELAPI VOID NTAPI KeClearEvent(PRKEVENT Event) {
    __atomic_store_n(&Event->Header.SignalState, 0, __ATOMIC_SEQ_CST);
}

NTKERNELAPI LONG NTAPI KeReadStateEvent(PRKEVENT Event) {
    return __atomic_load_n(&Event->Header.SignalState, __ATOMIC_SEQ_CST);
}

/* --- semaphores ------------------------------------------------------------------------------- */

NTKERNELAPI VOID NTAPI KeInitializeSemaphore(PRKSEMAPHORE Semaphore, LONG Count, LONG Limit) {
    dispatcher_init(&Semaphore->Header, OBJECT_SEMAPHORE, sizeof *Semaphore, Count);
    Semaphore->Limit = Limit;
}

NTKERNELAPI LONG NTAPI KeReleaseSemaphore(PRKSEMAPHORE Semaphore, KPRIORITY Increment,
                                          LONG Adjustment, BOOLEAN Wait) {
    PDISPATCHER_HEADER header = &Semaphore->Header;
    const uint32_t *place = sleeping_place(header);
    LONG limit = Semaphore->Limit;
    LONG former = __atomic_load_n(&header->SignalState, __ATOMIC_SEQ_CST);

    (void)Increment;
    (void)Wait;
    do {
        if (Adjustment <= 0 || Adjustment > limit - former)
            ExRaiseStatus(STATUS_SEMAPHORE_LIMIT_EXCEEDED);
    } while (!__atomic_compare_exchange_n(&header->SignalState, &former, former + Adjustment, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    plat_wake(place, (unsigned)Adjustment);
    return former;
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* Takes what a wait takes of a signalled object; false when it is not signalled, *word being how it was. */
static bool object_take(PDISPATCHER_HEADER header, uint64_t *word) {
    *word = __atomic_load_n(header_word(header), __ATOMIC_SEQ_CST);
    while (state_of(*word) > 0) {
        bool consumed =
            type_of(*word) == OBJECT_SYNCHRONIZATION_EVENT || type_of(*word) == OBJECT_SEMAPHORE;

        if (!consumed ||
            __atomic_compare_exchange_n(header_word(header), word, *word - (1ull << 32), false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return true;
    }
    return false;
}

/* When a wait ends, on plat_clock_ns: Timeout is relative when negative, else a system time. */
static uint64_t deadline_of(const LARGE_INTEGER *timeout) {
    uint64_t now = plat_clock_ns();
    uint64_t units;

    if (timeout == NULL)
        return PLAT_FOREVER;
    if (timeout->QuadPart <= 0) {
        units = 0 - (uint64_t)timeout->QuadPart;
    } else {
        uint64_t system_time = plat_clock_1601();
        uint64_t end = (uint64_t)timeout->QuadPart;
        units = end > system_time ? end - system_time : 0;
    }
    if (units > (PLAT_FOREVER - 1 - now) / NS_PER_UNIT)
        return PLAT_FOREVER - 1;
    return now + units * NS_PER_UNIT;
}

NTKERNELAPI NTSTATUS NTAPI KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason,
                                                 KPROCESSOR_MODE WaitMode, BOOLEAN Alertable,
                                                 PLARGE_INTEGER Timeout) {
    PDISPATCHER_HEADER header = Object;
    uint64_t first, word;
    uint64_t deadline;

    (void)WaitReason;
    (void)WaitMode;
    (void)Alertable;
    if (object_take(header, &first))
        return STATUS_SUCCESS;
    if (Timeout != NULL && Timeout->QuadPart == 0)
        return STATUS_TIMEOUT;
    for (deadline = deadline_of(Timeout);;) {
        uint64_t now = deadline == PLAT_FOREVER ? 0 : plat_clock_ns();

        if (object_take(header, &word))
            return STATUS_SUCCESS;
        /* Set and reset again while this thread slept: that set let all go on who waited. */
        if (sets_of(word) != sets_of(first) && type_of(word) == OBJECT_NOTIFICATION_EVENT)
            return STATUS_SUCCESS;
        if (deadline != PLAT_FOREVER && now >= deadline)
            return STATUS_TIMEOUT;
        plat_wait(sleeping_place(header), 0,
                  deadline == PLAT_FOREVER ? PLAT_FOREVER : deadline - now);
    }
}

NTKERNELAPI NTSTATUS NTAPI KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable,
                                                  PLARGE_INTEGER Interval) {
    uint64_t deadline = deadline_of(Interval);
    uint32_t never = 0;

    (void)WaitMode;
    (void)Alertable;
    for (;;) {
        uint64_t now = plat_clock_ns();
        if (now >= deadline)
            return STATUS_SUCCESS;
        plat_wait(&never, 0, deadline - now);
    }
}

/* --- fast mutexes ----------------------------------------------------------------------------- */

#define MUTEX_FREE 1
#define MUTEX_WAITED_FOR (-1)

static void mutex_owned(PFAST_MUTEX mutex, KIRQL old) {
    mutex->Owner = KeGetCurrentThread();
    mutex->OldIrql = old;
}

NTKERNELAPI BOOLEAN NTAPI ExTryToAcquireFastMutex(PFAST_MUTEX FastMutex) {
    LONG count = MUTEX_FREE;

    if (!__atomic_compare_exchange_n(&FastMutex->Count, &count, 0, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        return FALSE;
    mutex_owned(FastMutex, KfRaiseIrql(APC_LEVEL));
    return TRUE;
}

NTKERNELAPI VOID NTAPI ExAcquireFastMutex(PFAST_MUTEX FastMutex) {
    if (ExTryToAcquireFastMutex(FastMutex))
        return;
    __atomic_add_fetch(&FastMutex->Contention, 1, __ATOMIC_RELAXED);
    /* Whoever waited leaves the mark behind: it cannot know that nobody else waits. */
    while (__atomic_exchange_n(&FastMutex->Count, MUTEX_WAITED_FOR, __ATOMIC_ACQUIRE) != MUTEX_FREE)
        plat_wait((const uint32_t *)(const void *)(uintptr_t)&FastMutex->Count,
                  (uint32_t)MUTEX_WAITED_FOR, PLAT_FOREVER);
    mutex_owned(FastMutex, KfRaiseIrql(APC_LEVEL));
}

NTKERNELAPI VOID NTAPI ExReleaseFastMutex(PFAST_MUTEX FastMutex) {
    KIRQL old = (KIRQL)FastMutex->OldIrql;

    FastMutex->Owner = NULL;
    if (__atomic_exchange_n(&FastMutex->Count, MUTEX_FREE, __ATOMIC_RELEASE) == MUTEX_WAITED_FOR)
        plat_wake((const uint32_t *)(const void *)(uintptr_t)&FastMutex->Count, 1);
    KeLowerIrql(old);
}

/* --- time ------------------------------------------------------------------------------------- */

#define TICK_UNITS 156250u /* 15.625 ms */

NTKERNELAPI LARGE_INTEGER NTAPI KeQueryPerformanceCounter(PLARGE_INTEGER PerformanceFrequency) {
    LARGE_INTEGER now;

    if (PerformanceFrequency != NULL)
        PerformanceFrequency->QuadPart = 1000000000;
    now.QuadPart = (LONGLONG)plat_clock_ns();
    return now;
}

NTKERNELAPI VOID NTAPI KeQuerySystemTime(PLARGE_INTEGER CurrentTime) {
    CurrentTime->QuadPart = (LONGLONG)plat_clock_1601();
}

NTKERNELAPI ULONGLONG NTAPI KeQueryInterruptTime(VOID) {
    return plat_clock_ns() / NS_PER_UNIT;
}

NTKERNELAPI VOID NTAPI KeQueryTickCount(PLARGE_INTEGER CurrentCount) {
    CurrentCount->QuadPart = (LONGLONG)(KeQueryInterruptTime() / TICK_UNITS);
}

NTKERNELAPI ULONG NTAPI KeQueryTimeIncrement(VOID) {
    return TICK_UNITS;
}
