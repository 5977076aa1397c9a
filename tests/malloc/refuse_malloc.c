/* Refusals under the drop-in, whose malloc is this program's own from its very start. */
#include "../engine/refuse.h"

#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 300u

static void *block[BLOCKS];

static size_t size_of(unsigned i) {
    static const size_t sizes[] = {1, 16, 100, 1000, 5000, 20000, 200000};
    return sizes[i % 7];
}

static void *allocate(unsigned i) {
    switch (i % 4) {
    case 0:
        return calloc(1, size_of(i));
    case 1:
        return memalign(128, size_of(i));
    default:
        return malloc(size_of(i));
    }
}

static void *free_odd(void *argument) {
    for (unsigned i = 1; i < BLOCKS; i += 2) {
        void *more = refuse_touch(malloc(64), 64);
        free(block[i]);
        free(more);
    }
    return argument;
}

static void resize(unsigned i) {
    void *larger = realloc(block[i], 2 * size_of(i));
    if (larger != NULL)
        block[i] = refuse_touch(larger, 2 * size_of(i));
}

const char *refuse_work(void) {
    pthread_t thread;

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < BLOCKS; i++)
            block[i] = refuse_touch(allocate(i), size_of(i));
        for (unsigned i = 0; i < BLOCKS; i += 10)
            resize(i);
        bool started = pthread_create(&thread, NULL, free_odd, NULL) == 0;
        if (started)
            pthread_join(thread, NULL);
        else
            free_odd(NULL);
        for (unsigned i = 0; i < BLOCKS; i += 2)
            free(block[i]);
    }
    return NULL;
}
