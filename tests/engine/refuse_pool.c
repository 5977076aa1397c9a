/* Refusals under the executive pool and, with DBG, under the checked build. */
#include "refuse.h"

#include <pthread.h>

#include <ntifs.h>
#include <ntrxdef.h>

#include "ex/engine.h"

#define BLOCKS 800u       /* so many that every table of ours has grown */
#define BLOCKS_AGAIN 140u /* when what there is to be made is made, and blocks go round */

static void *block[BLOCKS];

static size_t size_of(unsigned i) {
    /* The largest are of slabs of few blocks and of pages of their own. */
    static const size_t sizes[] = {16, 100, 1000, 4096, 5000, 10000, 66000};
    return sizes[i % 7];
}

static unsigned blocks;

static void allocate_all(void) {
    for (unsigned i = 0; i < blocks; i++) {
        POOL_TYPE type = i % 2 ? PagedPool : NonPagedPoolNx;
        block[i] =
            refuse_touch(RxAllocatePoolWithTag(type, size_of(i), 'aaaT' + i % 40), size_of(i));
    }
}

static void *free_odd(void *argument) {
    for (unsigned i = 1; i < blocks; i += 2) {
        void *more = RxAllocatePoolWithTag(PagedPool, 64, 'eroM');
        if (block[i] != NULL)
            RxFreePool(block[i]);
        if (more != NULL)
            RxFreePool(refuse_touch(more, 64));
    }
    return argument;
}

static void free_even(void) {
    for (unsigned i = 0; i < blocks; i += 2)
        if (block[i] != NULL)
            RxFreePool(block[i]);
}

const char *refuse_work(void) {
    pthread_t thread;

    for (unsigned round = 0; round < 3; round++) {
        blocks = round == 0 ? BLOCKS : BLOCKS_AGAIN;
        allocate_all();
        if (pthread_create(&thread, NULL, free_odd, NULL) != 0)
            return "a thread";
        pthread_join(thread, NULL);
        free_even();
    }
    if (RxPoolUnload() != 0)
        return "nothing is left";
    if (RxCheckAllMemoryBlocks() != 0)
        return "every block is whole";
    return engine_walk();
}
