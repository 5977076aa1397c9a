/* plat/wait.h on Linux: futexes and POSIX threads. */
#include "plat/wait.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND 1000000000u
#define UNITS_1601_TO_1970 116444736000000000u /* of 100 ns */

bool plat_wait(const uint32_t *word, uint32_t expected, uint64_t timeout) {
    struct timespec left = {.tv_sec = (time_t)(timeout / NS_PER_SECOND),
                            .tv_nsec = (long)(timeout % NS_PER_SECOND)};
    int saved = errno;
    long result = syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected,
                          timeout == PLAT_FOREVER ? NULL : &left, NULL, 0);
    bool timed_out = result != 0 && errno == ETIMEDOUT;

    errno = saved;
    return !timed_out;
}

void plat_wake(const uint32_t *word, unsigned count) {
    int saved = errno;

    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count > INT32_MAX ? INT32_MAX : (int)count, NULL,
            NULL, 0);
    errno = saved;
}

struct start {
    void (*routine)(void *);
    void *argument;
};

static void *thread_main(void *argument) {
    struct start start = *(struct start *)argument;

    free(argument);
    start.routine(start.argument);
    return NULL;
}

bool plat_thread_start(void (*routine)(void *), void *argument) {
    struct start *start = malloc(sizeof *start);
    pthread_attr_t attributes;
    pthread_t thread;
    bool started = false;

    if (start == NULL)
        return false;
    *start = (struct start){routine, argument};
    if (pthread_attr_init(&attributes) == 0) {
        started = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
                  pthread_create(&thread, &attributes, thread_main, start) == 0;
        pthread_attr_destroy(&attributes);
    }
    if (!started)
        free(start);
    return started;
}

void plat_thread_exit(void) {
    pthread_exit(NULL);
}

uint64_t plat_clock_ns(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t plat_clock_1601(void) {
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return UNITS_1601_TO_1970 + (uint64_t)now.tv_sec * 10000000u + (uint64_t)now.tv_nsec / 100u;
}

uint32_t plat_process_id(void) {
    return (uint32_t)getpid();
}
