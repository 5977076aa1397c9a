/*
 * One path of the engine, again and again, for count.py to count its instructions:   engine_paths PATH PAIRS
 *
 *   own      blocks of one tag, on slabs of its own
 *   mixed    blocks of 2,000 tags in turn, on mixed slabs
 *   remote   blocks that another thread frees
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ntddk.h>

#define RING 16u
#define TAGS 2000u
#define BATCH 256u

static ULONG tag_of(unsigned n) {
    return 'p' | ('a' + n % 26) << 8 | ('a' + n / 26 % 26) << 16 | ('a' + n / 676) << 24;
}

static void turn(unsigned long pairs, unsigned tags) {
    void *ring[RING] = {NULL};

    for (unsigned long i = 0; i < pairs + RING; i++) {
        void **place = &ring[i % RING];
        if (*place != NULL)
            ExFreePool(*place);
        *place = i < pairs ? ExAllocatePoolWithTag(NonPagedPoolNx, 64, tag_of((unsigned)(i % tags)))
                           : NULL;
    }
}

static void *free_batch(void *argument) {
    void **block = argument;

    for (unsigned i = 0; i < BATCH; i++)
        ExFreePool(block[i]);
    return NULL;
}

static void hand_over(unsigned long pairs) {
    void *block[BATCH];
    pthread_t thread;

    for (unsigned long done = 0; done < pairs; done += BATCH) {
        for (unsigned i = 0; i < BATCH; i++)
            block[i] = ExAllocatePoolWithTag(NonPagedPoolNx, 64, tag_of(0));
        if (pthread_create(&thread, NULL, free_batch, block) != 0 ||
            pthread_join(thread, NULL) != 0)
            abort();
    }
}

int main(int argc, char **argv) {
    unsigned long pairs = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

    if (pairs == 0) {
        fputs("usage: engine_paths own|mixed|remote PAIRS\n", stderr);
        return 2;
    }
    if (strcmp(argv[1], "remote") == 0)
        hand_over(pairs);
    else
        turn(pairs, strcmp(argv[1], "own") == 0 ? 1 : TAGS);
    return 0;
}
