/*
 * What the cases share: the work asked for, blocks that prove themselves, clocks and memory figures. Nothing
 * here takes memory from the allocator under test, except allocate_next.
 */
#ifndef RXPOOL_BENCH_H
#define RXPOOL_BENCH_H

#include "allocator.h"

#define REQUESTS 65536u /* a power of two */
#define PAGE 4096u

struct request {
    uint32_t size;
    uint32_t tag;
};

/* What one case is asked to do. */
struct work {
    uint64_t pairs; /* allocations, each with its free */
    size_t live;    /* blocks that live at a time, in all threads together */
    unsigned threads;
    void **slots;  /* `live` pointers */
    uint64_t seed; /* of the next random number */
    struct request requests[REQUESTS];
};

/* What was measured; memory in KiB, -1 where the system does not tell. */
struct figures {
    uint64_t wall_ns, cpu_ns; /* of the timed part */
    long start_kib;           /* resident before the first allocation */
    long peak_kib;            /* the most that ever was, up to the end of the timed part */
    long freed_kib;           /* when everything has been freed */
    long rested_kib;          /* after the rest, and one later call */
    long private_kib; /* pages written by this process alone, when everything has been freed */
};

/* --- system.c --- */

struct clocks {
    uint64_t wall_ns, cpu_ns;
};
/* The whole process's processor time, or the calling thread's. */
struct clocks clocks_now(void);
struct clocks thread_clocks_now(void);
/* Adds what passed since `begin`. */
void clocks_stop(struct clocks begin, struct figures *f);

__attribute__((noreturn)) void give_up(const char *why);
/* Zeroed pages, in memory from the start. */
void *own_memory(size_t size);
void own_memory_return(void *memory, size_t size);

long resident_kib(void);
long peak_kib(void);
long private_kib(void);
void rest_ms(unsigned long milliseconds);

/* --- cases --- */

static inline uint64_t random_step(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static inline void *stamp(void *block) {
    if (__builtin_expect(block == NULL, 0)) {
        give_up("the allocator under test answered NULL");
    }
    *(void **)block = block;
    return block;
}

static inline void check_and_release(void *block) {
    if (__builtin_expect(*(void **)block != block, 0)) {
        give_up("a live block was overwritten");
    }
    release(block);
}

static inline void *allocate_next(struct work *w, uint64_t i) {
    const struct request *r = &w->requests[i & (REQUESTS - 1)];
    return stamp(allocate(r->size, r->tag));
}

/* threads.c: one thread allocates, another frees. */
void run_handover(struct work *w);
/* threads.c: w->threads threads, each with its share of the live blocks, timed from when all are ready. */
void measure_threads(struct work *w, struct figures *f);

#endif
