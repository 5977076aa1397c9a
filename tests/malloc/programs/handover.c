/*
 * Threads hand blocks to each other and to threads that come after them. At every pause, with no
 * call in flight, the bytes that mallinfo2 tells are to the byte those of the blocks that are
 * there.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include "program.h"

#define THREADS 6
#define GENERATIONS 25
#define PAUSES 6
#define OPERATIONS 4000
#define PLACES 4096

struct block {
    size_t size;
    unsigned char payload[];
};

static struct block *_Atomic place[PLACES];
static pthread_barrier_t barrier;

static size_t held(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static size_t sum_of_blocks(void) {
    size_t sum = 0;
    for (size_t i = 0; i < PLACES; i++)
        sum += malloc_usable_size(place[i]);
    return sum;
}

static struct block *new_block(uint64_t random) {
    size_t size = sizeof(struct block) + 1 + random % (random >> 32 & 127 ? 600 : 300000);
    struct block *block = random >> 40 & 1 ? malloc(size) : calloc(1, size);
    require(block != NULL);
    block->size = size - sizeof *block;
    block->payload[block->size - 1] = (unsigned char)size;
    return block;
}

static void check_and_free(struct block *block) {
    if (block == NULL)
        return;
    require(block->payload[block->size - 1] == (unsigned char)(block->size + sizeof *block));
    free(block);
}

static void *worker(void *argument) {
    uint64_t random = (uintptr_t)argument * 0x9E3779B97F4A7C15u + 1;
    for (int pause = 0; pause < PAUSES; pause++) {
        pthread_barrier_wait(&barrier); /* main has read the figures */
        for (int i = 0; i < OPERATIONS; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            struct block *block = random >> 61 < 4 ? new_block(random >> 8) : NULL;
            check_and_free(atomic_exchange(&place[random >> 20 & (PLACES - 1)], block));
        }
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

static void require_exact(size_t rest, const char *when, int generation) {
    size_t figure = held(), sum = sum_of_blocks();
    if (figure != sum + rest) {
        fprintf(stderr, "generation %d, %s: %zu bytes told, %zu there\n", generation, when,
                figure - rest, sum);
        _Exit(1);
    }
}

static void generation(int number) {
    pthread_t thread[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        require(pthread_create(&thread[i], NULL, worker, (void *)(i + 100 * (size_t)number)) == 0);
    size_t rest = held() - sum_of_blocks(); /* what libc holds for these threads, among others */
    for (int pause = 0; pause < PAUSES; pause++) {
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        require_exact(rest, "at a pause", number);
    }
    for (size_t i = 0; i < THREADS; i++)
        require(pthread_join(thread[i], NULL) == 0);
}

int main(void) {
    require_drop_in();
    alarm(240);
    require(pthread_barrier_init(&barrier, NULL, THREADS + 1) == 0);
    generation(0);
    size_t rest = held() - sum_of_blocks();
    for (int number = 1; number <= GENERATIONS; number++) {
        generation(number);
        require_exact(rest, "after its threads' end", number);
    }
    for (size_t i = 0; i < PLACES; i++)
        check_and_free(atomic_exchange(&place[i], NULL));
    require_exact(rest, "with nothing left", GENERATIONS);
    return 0;
}
