/* main returns while threads allocate, and while some are detached and some wait for ever. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "program.h"

static _Atomic int started;

static void *busy(void *argument) {
    (void)argument;
    for (started++;;)
        churn(0, 100);
    return NULL;
}

static void *idle(void *argument) {
    (void)argument;
    void *volatile block = malloc(100);
    require(block != NULL);
    for (started++;;)
        pause();
    return NULL;
}

int main(void) {
    pthread_t thread;
    require_drop_in();
    alarm(60);
    for (int i = 0; i < 4; i++) {
        require(pthread_create(&thread, NULL, i % 2 ? busy : idle, NULL) == 0);
        require(pthread_detach(thread) == 0);
    }
    while (started < 4)
        usleep(1000);
    usleep(20000);
    return 0;
}
