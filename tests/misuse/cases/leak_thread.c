#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <ntifs.h>
#include <ntrxdef.h>

static volatile int ready, done;

/* A thread like a timer library's: it blocks every signal. */
static void *serve(void *block) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    ready = 1;
    while (!done)
        usleep(1000);
    RxFreePool(block);
    return NULL;
}

int main(void) {
    pthread_t thread;
    void *block = RxAllocatePoolWithTag(PagedPool, 64, 'hTxR');
    strcpy(block, "held by the thread");
    pthread_create(&thread, NULL, serve, block);
    while (!ready)
        usleep(1000);
    if (MISUSE)
        RxPoolUnload();
    done = 1;
    pthread_join(thread, NULL);
    return 0;
}
