/* fork, from one thread and from one of many: parent and child both go on allocating and freeing.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

#define THREADS 4
#define FORKS 40

static _Atomic int stop;
static void *_Atomic handed[256];
static void *held_by_handlers[3];

static void prepare(void) {
    held_by_handlers[0] = malloc(500);
    require(held_by_handlers[0] != NULL);
}

static void in_parent(void) {
    held_by_handlers[1] = malloc(60000);
    require(held_by_handlers[1] != NULL);
    free(held_by_handlers[0]);
    free(held_by_handlers[1]);
}

static void in_child(void) {
    held_by_handlers[2] = calloc(1, 100);
    require(held_by_handlers[2] != NULL);
    free(held_by_handlers[0]);
    free(held_by_handlers[2]);
}

/* Blocks change hands through `handed`, so that a fork finds remote frees under way. */
static void *worker(void *argument) {
    unsigned seed = (unsigned)(size_t)argument;
    (void)setpriority(PRIO_PROCESS, 0, 10); /* of this thread: children come first */
    while (!stop) {
        seed = seed * 1103515245u + 12345u;
        void *block = malloc(seed >> 8 & 2047);
        require(block != NULL);
        free(atomic_exchange(&handed[seed >> 20 & 255], block));
        if (seed % 1024 < 16)
            sched_yield(); /* to a child that waits for a processor */
    }
    return NULL;
}

static void *worker_of_child(void *argument) {
    churn((unsigned)(size_t)argument << 8, 300);
    return NULL;
}

static void child(void) {
    pthread_t thread[2];
    for (size_t i = 0; i < 256; i++)
        free(atomic_exchange(&handed[i], NULL)); /* of threads that are not here */
    churn(0, 500);
    for (size_t i = 0; i < 2; i++)
        require(pthread_create(&thread[i], NULL, worker_of_child, (void *)i) == 0);
    for (size_t i = 0; i < 2; i++)
        require(pthread_join(thread[i], NULL) == 0);
    pid_t grandchild = fork();
    require(grandchild >= 0);
    if (grandchild == 0) {
        churn(0, 200);
        exit(0);
    }
    int status = -1;
    require(waitpid(grandchild, &status, 0) == grandchild && status == 0);
    exit(0);
}

static void fork_and_wait(void) {
    pid_t pid = fork();
    require(pid >= 0);
    if (pid == 0)
        child();
    int status = -1;
    require(waitpid(pid, &status, 0) == pid);
    require(status == 0);
}

int main(void) {
    pthread_t thread[THREADS];
    require_drop_in();
    alarm(120); /* a deadlock is a failure */
    churn(0, 1000);
    fork_and_wait();
    require(pthread_atfork(prepare, in_parent, in_child) == 0);
    for (size_t i = 0; i < THREADS; i++)
        require(pthread_create(&thread[i], NULL, worker, (void *)(i + 1)) == 0);
    for (int i = 0; i < FORKS; i++)
        fork_and_wait();
    stop = 1;
    for (size_t i = 0; i < THREADS; i++)
        require(pthread_join(thread[i], NULL) == 0);
    churn(0, 1000);
    return 0;
}
