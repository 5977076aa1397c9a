/*
 * Work items: three queues, the most urgent first, and a few worker threads, started when there is
 * more work than workers. A child of fork starts with no workers and empty queues: the items are
 * the parent's.
 */
#include <ntifs.h>

#include "ex/dispatcher.h"
#include "ex/ntthread.h"
#include "plat/plat.h"
#include "plat/wait.h"

#define WORKERS_MAX 4u

static struct {
    struct plat_lock lock;
    LIST_ENTRY queue[MaximumWorkQueue];
    uint32_t queued; /* items that no worker has taken */
    uint32_t workers;
    uint32_t idle;     /* of them */
    uint32_t arrivals; /* what idle workers sleep on */
    uint32_t process;  /* that all this belongs to */
} work;

static const WORK_QUEUE_TYPE by_urgency[] = {HyperCriticalWorkQueue, CriticalWorkQueue,
                                             DelayedWorkQueue};

static void work_lock(void) {
    uint32_t process = plat_process_id();

    if (__atomic_load_n(&work.process, __ATOMIC_ACQUIRE) == process) {
        plat_lock_acquire(&work.lock);
        return;
    }
    static struct plat_lock first;
    plat_lock_acquire(&first);
    if (work.process != process) {
        work.lock = (struct plat_lock){0};
        work.queued = work.workers = work.idle = 0;
        for (size_t i = 0; i < MaximumWorkQueue; i++)
            InitializeListHead(&work.queue[i]);
        __atomic_store_n(&work.process, process, __ATOMIC_RELEASE);
    }
    plat_lock_release(&first);
    plat_lock_acquire(&work.lock);
}

/* Under the lock: the most urgent item, or NULL. */
static PWORK_QUEUE_ITEM work_take(void) {
    for (size_t i = 0; i < RXP_COUNT(by_urgency); i++) {
        PLIST_ENTRY queue = &work.queue[by_urgency[i]];

        if (!IsListEmpty(queue)) {
            PWORK_QUEUE_ITEM item = CONTAINING_RECORD(RemoveHeadList(queue), WORK_QUEUE_ITEM, List);
            item->List.Flink = NULL;
            work.queued--;
            return item;
        }
    }
    return NULL;
}

static void worker(void *unused) {
    (void)unused;
    for (;;) {
        PWORK_QUEUE_ITEM item;

        work_lock();
        while ((item = work_take()) == NULL) {
            uint32_t arrivals = __atomic_load_n(&work.arrivals, __ATOMIC_RELAXED);

            work.idle++;
            plat_lock_release(&work.lock);
            plat_wait(&work.arrivals, arrivals, PLAT_FOREVER);
            work_lock();
            work.idle--;
        }
        plat_lock_release(&work.lock);
        /* The routine may free the item. */
        item->WorkerRoutine(item->Parameter);
    }
}

NTKERNELAPI VOID NTAPI ExQueueWorkItem(PWORK_QUEUE_ITEM WorkItem, WORK_QUEUE_TYPE QueueType) {
    bool start;

    work_lock();
    InsertTailList(&work.queue[QueueType], &WorkItem->List);
    work.queued++;
    start = work.queued > work.idle && work.workers < WORKERS_MAX;
    work.workers += start;
    __atomic_add_fetch(&work.arrivals, 1, __ATOMIC_RELAXED);
    plat_lock_release(&work.lock);

    if (start && !plat_thread_start(worker, NULL)) {
        work_lock();
        work.workers--;
        plat_lock_release(&work.lock);
    }
    plat_wake(&work.arrivals, 1);
}
