/*
 * Dispatcher objects: events, semaphores and threads, and waiting for them.
 *
 * SignalState is what NT says it is. The waiters sleep on a count of wakings, which lies where a
 * kernel keeps its list of waiters, a part of the object that drivers do not touch:
 *
 *   signal:  wakings++, then SignalState, then wake          wait:  read wakings, then SignalState,
 * then sleep
 *
 * so a signal that a waiter has not seen in SignalState has changed what the waiter sleeps on, or
 * comes with a wake later. After SignalState is set the object is not touched again: whoever saw it
 * signalled may have freed it.
 */
#include "ex/dispatcher.h"
#include "ex/irql.h"
#include "plat/plat.h"
#include "plat/wait.h"

#define NS_PER_UNIT 100u

static uint32_t *wakings(PDISPATCHER_HEADER header) {
    return (uint32_t *)(void *)&header->WaitListHead;
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
    uint32_t *word = wakings(header);
    unsigned waiters = header->Type == OBJECT_SYNCHRONIZATION_EVENT ? 1 : UINT32_MAX;
    LONG former;

    __atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
    former = __atomic_exchange_n(&header->SignalState, 1, __ATOMIC_SEQ_CST);
    if (former == 0)
        plat_wake(word, waiters);
    return former;
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
    uint32_t *word = wakings(header);
    LONG limit = Semaphore->Limit;
    LONG former = __atomic_load_n(&header->SignalState, __ATOMIC_SEQ_CST);

    (void)Increment;
    (void)Wait;
    __atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
    do {
        if (Adjustment <= 0 || Adjustment > limit - former)
            ExRaiseStatus(STATUS_SEMAPHORE_LIMIT_EXCEEDED);
    } while (!__atomic_compare_exchange_n(&header->SignalState, &former, former + Adjustment, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    plat_wake(word, (unsigned)Adjustment);
    return former;
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* Takes what a wait takes of a signalled object; false when it is not signalled. */
static bool object_take(PDISPATCHER_HEADER header) {
    LONG state = __atomic_load_n(&header->SignalState, __ATOMIC_SEQ_CST);
    bool consumed =
        header->Type == OBJECT_SYNCHRONIZATION_EVENT || header->Type == OBJECT_SEMAPHORE;

    while (state > 0) {
        if (!consumed)
            return true;
        if (__atomic_compare_exchange_n(&header->SignalState, &state, state - 1, false,
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
    uint32_t *word = wakings(header);
    uint32_t seen = __atomic_load_n(word, __ATOMIC_SEQ_CST);
    uint64_t deadline;

    (void)WaitReason;
    (void)WaitMode;
    (void)Alertable;
    if (object_take(header))
        return STATUS_SUCCESS;
    if (Timeout != NULL && Timeout->QuadPart == 0)
        return STATUS_TIMEOUT;
    for (deadline = deadline_of(Timeout);;) {
        uint64_t now = deadline == PLAT_FOREVER ? 0 : plat_clock_ns();
        uint32_t count = __atomic_load_n(word, __ATOMIC_SEQ_CST);

        if (object_take(header))
            return STATUS_SUCCESS;
        /* Set and reset again while this thread slept: that set let all go on who waited. */
        if (count != seen && header->Type == OBJECT_NOTIFICATION_EVENT)
            return STATUS_SUCCESS;
        if (deadline != PLAT_FOREVER && now >= deadline)
            return STATUS_TIMEOUT;
        plat_wait(word, count, deadline == PLAT_FOREVER ? PLAT_FOREVER : deadline - now);
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
