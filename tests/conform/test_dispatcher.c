/* Events, semaphores, threads, locks, IRQL, work items and clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include <ntifs.h>
#include <pseh/pseh2.h>

#define TAG 0x74736554u /* "Test" */
#define MS 10000        /* in units of 100 ns */
#define THREADS 4
#define ROUNDS 20000

static NTSTATUS wait_for(PVOID object, LONGLONG timeout) {
    LARGE_INTEGER t = {.QuadPart = timeout};

    return KeWaitForSingleObject(object, Executive, KernelMode, FALSE, &t);
}

static NTSTATUS wait_forever(PVOID object) {
    return KeWaitForSingleObject(object, Executive, KernelMode, FALSE, NULL);
}

static PVOID start(PKSTART_ROUTINE routine, PVOID context) {
    HANDLE handle;
    PVOID object;

    assert_int_equal(
        PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, routine, context),
        STATUS_SUCCESS);
    assert_int_equal(ObReferenceObjectByHandle(handle, THREAD_ALL_ACCESS, *PsThreadType, KernelMode,
                                               &object, NULL),
                     STATUS_SUCCESS);
    assert_int_equal(ZwClose(handle), STATUS_SUCCESS);
    return object;
}

static void finish(PVOID object) {
    assert_int_equal(wait_forever(object), STATUS_SUCCESS);
    assert_int_equal(wait_for(object, 0), STATUS_SUCCESS); /* stays signalled */
    ObDereferenceObject(object);
}

/* --- events ----------------------------------------------------------------------------------- */

static void notification_event_stays_set(void **state) {
    KEVENT e;

    (void)state;
    KeInitializeEvent(&e, NotificationEvent, FALSE);
    assert_int_equal(wait_for(&e, 0), STATUS_TIMEOUT);
    assert_int_equal(KeSetEvent(&e, IO_NO_INCREMENT, FALSE), 0);
    assert_int_equal(KeSetEvent(&e, IO_NO_INCREMENT, FALSE), 1);
    assert_int_equal(wait_forever(&e), STATUS_SUCCESS);
    assert_int_equal(wait_forever(&e), STATUS_SUCCESS);
    assert_int_equal(KeResetEvent(&e), 1);
    assert_int_equal(KeReadStateEvent(&e), 0);
    assert_int_equal(wait_for(&e, 0), STATUS_TIMEOUT);
}

static void synchronization_event_lets_one_go_on(void **state) {
    KEVENT e;

    (void)state;
    KeInitializeEvent(&e, SynchronizationEvent, TRUE);
    assert_int_equal(wait_forever(&e), STATUS_SUCCESS);
    assert_int_equal(KeReadStateEvent(&e), 0);
    assert_int_equal(wait_for(&e, 0), STATUS_TIMEOUT);
    KeSetEvent(&e, 0, FALSE);
    KeClearEvent(&e);
    assert_int_equal(wait_for(&e, 0), STATUS_TIMEOUT);
}

static void timeouts(void **state) {
    LARGE_INTEGER frequency, begin, end;
    KEVENT e;

    (void)state;
    KeInitializeEvent(&e, NotificationEvent, FALSE);
    begin = KeQueryPerformanceCounter(&frequency);
    assert_int_equal(wait_for(&e, -30 * MS), STATUS_TIMEOUT);
    end = KeQueryPerformanceCounter(NULL);
    assert_true((end.QuadPart - begin.QuadPart) * 1000 / frequency.QuadPart >= 30);
    KeQuerySystemTime(&begin);
    assert_int_equal(wait_for(&e, begin.QuadPart + 20 * MS), STATUS_TIMEOUT);
    KeQuerySystemTime(&end);
    assert_true(end.QuadPart - begin.QuadPart >= 19 * MS);
    assert_int_equal(wait_for(&e, 1), STATUS_TIMEOUT); /* in the year 1601 */
}

#define TURNS 100000

struct turns {
    KEVENT mine, yours;
    LONG count;
};

static VOID NTAPI take_turns(PVOID context) {
    struct turns *t = context;

    for (int i = 0; i < TURNS; i++) {
        wait_forever(&t->mine);
        t->count++;
        KeSetEvent(&t->yours, 0, FALSE);
    }
}

/* As often as it takes for a set to fall between a waiter's look at the event and its sleep. */
static void events_hand_over(void **state) {
    struct turns t = {.count = 0};
    PVOID thread;

    (void)state;
    KeInitializeEvent(&t.mine, SynchronizationEvent, FALSE);
    KeInitializeEvent(&t.yours, SynchronizationEvent, FALSE);
    thread = start(take_turns, &t);
    for (int i = 0; i < TURNS; i++) {
        assert_int_equal(t.count, i);
        KeSetEvent(&t.mine, 0, FALSE);
        wait_forever(&t.yours);
    }
    finish(thread);
    assert_int_equal(t.count, TURNS);
}

static KEVENT gate;
static KSEMAPHORE at_gate;
static volatile LONG passed;

static VOID NTAPI pass_gate(PVOID context) {
    (void)context;
    KeReleaseSemaphore(&at_gate, 0, 1, FALSE);
    wait_forever(&gate);
    InterlockedIncrement(&passed);
}

static void notification_event_lets_all_go_on(void **state) {
    PVOID threads[THREADS];

    (void)state;
    passed = 0;
    KeInitializeEvent(&gate, NotificationEvent, FALSE);
    KeInitializeSemaphore(&at_gate, 0, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        threads[i] = start(pass_gate, NULL);
    for (size_t i = 0; i < THREADS; i++)
        wait_forever(&at_gate);
    assert_int_equal(passed, 0);
    KeSetEvent(&gate, 0, FALSE);
    for (size_t i = 0; i < THREADS; i++)
        finish(threads[i]);
    assert_int_equal(passed, THREADS);
}

/* One that waited goes on, though the event is cleared before it can look again. */
static void a_pulse_lets_all_go_on(void **state) {
    LARGE_INTEGER pause = {.QuadPart = -20 * MS};
    PVOID threads[THREADS];

    (void)state;
    passed = 0;
    KeInitializeEvent(&gate, NotificationEvent, FALSE);
    KeInitializeSemaphore(&at_gate, 0, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        threads[i] = start(pass_gate, NULL);
    for (size_t i = 0; i < THREADS; i++)
        wait_forever(&at_gate);
    /* Who was not asleep yet waits for the next. */
    while (InterlockedExchangeAdd(&passed, 0) != THREADS) {
        KeDelayExecutionThread(KernelMode, FALSE, &pause);
        for (int i = 0; i < 257; i++) {
            KeSetEvent(&gate, 0, FALSE);
            KeClearEvent(&gate);
        }
    }
    for (size_t i = 0; i < THREADS; i++)
        finish(threads[i]);
    assert_int_equal(gate.Header.Type, NotificationEvent);
    assert_int_equal(gate.Header.Size, sizeof gate / sizeof(LONG));
}

static void semaphore_counts(void **state) {
    volatile NTSTATUS raised = 0;
    KSEMAPHORE s;

    (void)state;
    KeInitializeSemaphore(&s, 1, 3);
    assert_int_equal(KeReleaseSemaphore(&s, 0, 2, FALSE), 1);
    _SEH2_TRY {
        KeReleaseSemaphore(&s, 0, 1, FALSE);
    }
    _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        raised = _SEH2_GetExceptionCode();
    }
    _SEH2_END;
    assert_int_equal(raised, STATUS_SEMAPHORE_LIMIT_EXCEEDED);
    for (int i = 0; i < 3; i++)
        assert_int_equal(wait_for(&s, 0), STATUS_SUCCESS);
    assert_int_equal(wait_for(&s, 0), STATUS_TIMEOUT);
}

/* --- threads ---------------------------------------------------------------------------------- */

static VOID NTAPI end_early(PVOID context) {
    *(PKTHREAD *)context = KeGetCurrentThread();
    PsTerminateSystemThread(STATUS_SUCCESS);
    *(PKTHREAD *)context = NULL;
}

static void threads_are_objects(void **state) {
    PKTHREAD seen = NULL;
    PVOID object = start(end_early, &seen);
    HANDLE handle;

    (void)state;
    assert_int_equal(wait_forever(object), STATUS_SUCCESS);
    assert_ptr_equal(seen, object);
    ObDereferenceObject(object);
    assert_int_equal(PsCreateSystemThread(&handle, 0, NULL, NULL, NULL, end_early, &seen),
                     STATUS_SUCCESS);
    assert_int_equal(
        ObReferenceObjectByHandle(handle, 0, (POBJECT_TYPE)(PVOID)&seen, KernelMode, &object, NULL),
        STATUS_OBJECT_TYPE_MISMATCH);
    assert_int_equal(ObReferenceObjectByHandle(handle, 0, NULL, KernelMode, &object, NULL),
                     STATUS_SUCCESS);
    finish(object);
    assert_int_equal(ZwClose(handle), STATUS_SUCCESS);
    assert_int_equal(ZwClose(handle), STATUS_INVALID_HANDLE);
    assert_int_equal(ObReferenceObjectByHandle(handle, 0, NULL, KernelMode, &object, NULL),
                     STATUS_INVALID_HANDLE);
    assert_null(object);
    assert_int_equal(PsTerminateSystemThread(0),
                     STATUS_INVALID_PARAMETER); /* not a system thread */
}

/* --- IRQL and locks --------------------------------------------------------------------------- */

static void irql_goes_up_and_down(void **state) {
    KIRQL old, older;

    (void)state;
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    KeRaiseIrql(APC_LEVEL, &older);
    assert_int_equal(older, PASSIVE_LEVEL);
    old = KeRaiseIrqlToDpcLevel();
    assert_int_equal(old, APC_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeLowerIrql(old);
    assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
    KeLowerIrql(older);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

static KSPIN_LOCK spin;
static FAST_MUTEX mutex;
static ERESOURCE resource;
static ULONG protected_count;
static volatile LONG readers;
static volatile LONG mistakes;

static VOID NTAPI use_spin_lock(PVOID context) {
    (void)context;
    for (int i = 0; i < ROUNDS; i++) {
        KIRQL old;

        KeAcquireSpinLock(&spin, &old);
        protected_count++;
        if (KeGetCurrentIrql() != DISPATCH_LEVEL)
            InterlockedIncrement(&mistakes);
        KeReleaseSpinLock(&spin, old);
    }
}

static VOID NTAPI use_mutex(PVOID context) {
    (void)context;
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 3 != 0 || !ExTryToAcquireFastMutex(&mutex))
            ExAcquireFastMutex(&mutex);
        protected_count++;
        if (KeGetCurrentIrql() != APC_LEVEL || mutex.Owner != KeGetCurrentThread())
            InterlockedIncrement(&mistakes);
        ExReleaseFastMutex(&mutex);
    }
}

static VOID NTAPI use_resource(PVOID context) {
    (void)context;
    for (int i = 0; i < ROUNDS; i++) {
        KeEnterCriticalRegion();
        if (i % 4 == 0) {
            ExAcquireResourceExclusiveLite(&resource, TRUE);
            ExAcquireResourceSharedLite(&resource, TRUE);
            protected_count++;
            if (readers != 0 || !ExIsResourceAcquiredExclusiveLite(&resource))
                InterlockedIncrement(&mistakes);
            ExReleaseResourceLite(&resource);
        } else {
            ExAcquireResourceSharedLite(&resource, TRUE);
            InterlockedIncrement(&readers);
            if (ExIsResourceAcquiredExclusiveLite(&resource))
                InterlockedIncrement(&mistakes);
            InterlockedDecrement(&readers);
        }
        ExReleaseResourceLite(&resource);
        KeLeaveCriticalRegion();
    }
}

static void run_threads(PKSTART_ROUTINE routine) {
    PVOID threads[THREADS];

    protected_count = 0;
    mistakes = 0;
    for (size_t i = 0; i < THREADS; i++)
        threads[i] = start(routine, NULL);
    for (size_t i = 0; i < THREADS; i++)
        finish(threads[i]);
    assert_int_equal(mistakes, 0);
}

static void locks_exclude(void **state) {
    (void)state;
    KeInitializeSpinLock(&spin);
    run_threads(use_spin_lock);
    assert_int_equal(protected_count, THREADS * ROUNDS);

    ExInitializeFastMutex(&mutex);
    run_threads(use_mutex);
    assert_int_equal(protected_count, THREADS * ROUNDS);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);

    assert_int_equal(ExInitializeResourceLite(&resource), STATUS_SUCCESS);
    run_threads(use_resource);
    assert_int_equal(protected_count, THREADS * ROUNDS / 4);
    assert_int_equal(ExDeleteResourceLite(&resource), STATUS_SUCCESS);
}

static VOID NTAPI try_resource(PVOID context) {
    BOOLEAN *got = context;

    got[0] = ExAcquireResourceExclusiveLite(&resource, FALSE);
    got[1] = ExAcquireResourceSharedLite(&resource, FALSE);
    if (got[1])
        ExReleaseResourceLite(&resource);
}

static void resource_without_waiting(void **state) {
    BOOLEAN got[2];

    (void)state;
    ExInitializeResourceLite(&resource);
    assert_true(ExAcquireResourceSharedLite(&resource, FALSE));
    finish(start(try_resource, got));
    assert_false(got[0]);
    assert_true(got[1]);
    ExReleaseResourceLite(&resource);
    assert_true(ExAcquireResourceExclusiveLite(&resource, FALSE));
    finish(start(try_resource, got));
    assert_false(got[0]);
    assert_false(got[1]);
    ExReleaseResourceLite(&resource);
    ExDeleteResourceLite(&resource);
}

/* --- work items ------------------------------------------------------------------------------- */

struct job {
    WORK_QUEUE_ITEM item;
    volatile LONG *left;
    PKEVENT done;
};

static VOID NTAPI do_job(PVOID parameter) {
    struct job *job = parameter;
    volatile LONG *left = job->left;
    PKEVENT done = job->done;

    ExFreePoolWithTag(job, TAG); /* from another thread than allocated it */
    if (InterlockedDecrement(left) == 0)
        KeSetEvent(done, 0, FALSE);
}

static void work_items_run_once_each(void **state) {
    enum { JOBS = 3000 };
    static KEVENT done;
    static volatile LONG left = JOBS;

    (void)state;
    KeInitializeEvent(&done, NotificationEvent, FALSE);
    for (int i = 0; i < JOBS; i++) {
        struct job *job = ExAllocatePoolWithTag(NonPagedPool, sizeof *job, TAG);

        job->left = &left;
        job->done = &done;
        ExInitializeWorkItem(&job->item, do_job, job);
        ExQueueWorkItem(&job->item, (WORK_QUEUE_TYPE)(i % MaximumWorkQueue));
    }
    assert_int_equal(wait_for(&done, -60000LL * MS), STATUS_SUCCESS);
    assert_int_equal(left, 0);
}

/* --- clocks ----------------------------------------------------------------------------------- */

static void clocks(void **state) {
    LARGE_INTEGER now, ticks, interval = {.QuadPart = -20 * MS};
    ULONGLONG begin, end;

    (void)state;
    KeQuerySystemTime(&now);
    assert_true(llabs(now.QuadPart / 10000000 - 11644473600LL - (LONGLONG)time(NULL)) <= 1);
    begin = KeQueryInterruptTime();
    assert_int_equal(KeDelayExecutionThread(KernelMode, FALSE, &interval), STATUS_SUCCESS);
    end = KeQueryInterruptTime();
    assert_true(end - begin >= 20 * MS);
    KeQueryTickCount(&ticks);
    assert_true(ticks.QuadPart >= (LONGLONG)(end / KeQueryTimeIncrement()));
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(notification_event_stays_set),
        cmocka_unit_test(synchronization_event_lets_one_go_on),
        cmocka_unit_test(timeouts),
        cmocka_unit_test(events_hand_over),
        cmocka_unit_test(notification_event_lets_all_go_on),
        cmocka_unit_test(a_pulse_lets_all_go_on),
        cmocka_unit_test(semaphore_counts),
        cmocka_unit_test(threads_are_objects),
        cmocka_unit_test(irql_goes_up_and_down),
        cmocka_unit_test(locks_exclude),
        cmocka_unit_test(resource_without_waiting),
        cmocka_unit_test(work_items_run_once_each),
        cmocka_unit_test(clocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
