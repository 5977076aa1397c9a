/*
 * One case, one allocator, one process:   bench-... CASE PAIRS LIVE TAGS
 *
 * Prints `ns_per_pair start_kib peak_kib after_kib`. A pair is an allocation and a free. Every block's first
 * word is written when it is handed out and checked before it is freed: an allocator that hands out the same
 * memory twice does not finish. start_kib is resident before the first allocation (the bench's own tables
 * are touched by then), peak_kib the high-water mark, after_kib resident when everything has been freed.
 */
#define _GNU_SOURCE
#include "allocator.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define REQUESTS 65536u /* a power of two */
#define BATCH 1000u     /* blocks of the fifo and lifo cases */
#define RING 4096u      /* a power of two */
#define PAGE 4096u

struct request {
    uint32_t size;
    uint32_t tag;
};

/* What one case is asked to do. */
struct work {
    uint64_t pairs;
    size_t live;
    void **slots; /* `live` pointers, all null at first */
    struct request requests[REQUESTS];
};

static uint64_t random_state = 0x9E3779B97F4A7C15u;

static uint64_t random_next(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void give_up(const char *why) {
    fprintf(stderr, "bench: %s\n", why);
    exit(1);
}

/* Memory of the bench itself never comes from the allocator under test. */
static void *own_memory(size_t size) {
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) {
        give_up("no memory for the bench itself");
    }
    return memory;
}

/* A line of /proc/self/status in KiB. */
static long status_kib(const char *key) {
    char line[256];
    long value = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            value = strtol(line + strlen(key) + 1, NULL, 10);
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return value;
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

/* Sizes log-uniform in [low, high], tags uniform. */
static void plan_requests(struct work *w, double low, double high, bool even, uint32_t tags) {
    for (uint32_t i = 0; i < REQUESTS; i++) {
        double unit = (double)(random_next() >> 11) * 0x1p-53;
        double size = even ? low + unit * (high - low) : low * exp(unit * log(high / low));
        w->requests[i].size = (uint32_t)size;
        w->requests[i].tag = allocator_tag((uint32_t)(random_next() % tags));
    }
}

/* --- cases ------------------------------------------------------------------------------------ */

static void run_same(struct work *w) {
    for (uint64_t i = 0; i < w->pairs; i++) {
        check_and_release(allocate_next(w, i));
    }
}

static void run_fifo(struct work *w) {
    void *blocks[BATCH];
    for (uint64_t done = 0; done < w->pairs; done += BATCH) {
        for (uint32_t i = 0; i < BATCH; i++) {
            blocks[i] = allocate_next(w, done + i);
        }
        for (uint32_t i = 0; i < BATCH; i++) {
            check_and_release(blocks[i]);
        }
    }
}

static void run_lifo(struct work *w) {
    void *blocks[BATCH];
    for (uint64_t done = 0; done < w->pairs; done += BATCH) {
        for (uint32_t i = 0; i < BATCH; i++) {
            blocks[i] = allocate_next(w, done + i);
        }
        for (uint32_t i = BATCH; i-- > 0;) {
            check_and_release(blocks[i]);
        }
    }
}

/* The slots are full when this runs: each step frees a random one and fills it again. */
static void run_replace(struct work *w) {
    for (uint64_t i = 0; i < w->pairs; i++) {
        void **slot = &w->slots[random_next() % w->live];
        check_and_release(*slot);
        *slot = allocate_next(w, i);
    }
}

/* As replace, and every page of a block is written, as its user would. */
static void run_large(struct work *w) {
    for (uint64_t i = 0; i < w->pairs; i++) {
        void **slot = &w->slots[random_next() % w->live];
        check_and_release(*slot);
        *slot = allocate_next(w, i);
        uint32_t size = w->requests[i & (REQUESTS - 1)].size;
        for (uint32_t offset = PAGE; offset < size; offset += PAGE) {
            ((volatile char *)*slot)[offset] = 1;
        }
    }
}

/* As replace with zeroed blocks; a word that is not zero ends the run. */
static void run_zeroed(struct work *w) {
    for (uint64_t i = 0; i < w->pairs; i++) {
        const struct request *r = &w->requests[i & (REQUESTS - 1)];
        void **slot = &w->slots[random_next() % w->live];
        check_and_release(*slot);
        char *block = allocate_zeroed(r->size, r->tag);
        if (block == NULL || block[0] != 0 || block[r->size / 2] != 0 || block[r->size - 1] != 0) {
            give_up("a zeroed block is not");
        }
        memset(block, 1, r->size);
        *slot = stamp(block);
    }
}

/* Buffers that grow by half up to a mebibyte, sixteen side by side; a pair is one realloc. */
static void run_realloc(struct work *w) {
    struct {
        char *block;
        size_t size;
    } buffers[16] = {{NULL, 0}};
    for (uint64_t i = 0; i < w->pairs; i++) {
        unsigned k = i % 16;
        size_t old = buffers[k].size;
        if (old > 1u << 20) {
            free(buffers[k].block);
            buffers[k].block = NULL;
            old = 0;
        }
        size_t size = old == 0 ? 16 : old + old / 2;
        char *block = reallocate(buffers[k].block, size);
        if (block == NULL || (old > 0 && block[old - 1] != (char)k)) {
            give_up("realloc lost the contents");
        }
        block[size - 1] = (char)k;
        buffers[k].block = block;
        buffers[k].size = size;
    }
    for (unsigned k = 0; k < 16; k++) {
        free(buffers[k].block);
    }
}

/* --- two threads -------------------------------------------------------------------------------- */

static struct {
    _Alignas(64) _Atomic uint64_t written;
    _Alignas(64) _Atomic uint64_t read;
    _Alignas(64) void *block[RING];
    uint64_t pairs;
} ring;

static void *consume(void *unused) {
    (void)unused;
    for (uint64_t i = 0; i < ring.pairs; i++) {
        while (atomic_load_explicit(&ring.written, memory_order_acquire) == i) {
            sched_yield();
        }
        check_and_release(ring.block[i & (RING - 1)]);
        atomic_store_explicit(&ring.read, i + 1, memory_order_release);
    }
    return NULL;
}

/* One thread allocates, another frees, at most RING blocks on the way. */
static void run_handover(struct work *w) {
    pthread_t consumer;
    ring.pairs = w->pairs;
    ring.written = ring.read = 0;
    if (pthread_create(&consumer, NULL, consume, NULL) != 0) {
        give_up("no thread");
    }
    for (uint64_t i = 0; i < w->pairs; i++) {
        while (i - atomic_load_explicit(&ring.read, memory_order_acquire) == RING) {
            sched_yield();
        }
        ring.block[i & (RING - 1)] = allocate_next(w, i);
        atomic_store_explicit(&ring.written, i + 1, memory_order_release);
    }
    pthread_join(consumer, NULL);
}

static void *replace_in_thread(void *argument) {
    struct work *w = argument;
    uint64_t state = 88172645463325252u;
    size_t half = w->live / 2;
    void **slots = own_memory(half * sizeof(void *));
    allocator_thread_start();
    for (uint64_t i = 0; i < w->pairs / 2; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        void **slot = &slots[state % half];
        if (*slot != NULL) {
            check_and_release(*slot);
        }
        *slot = allocate_next(w, i);
    }
    for (size_t i = 0; i < half; i++) {
        if (slots[i] != NULL) {
            check_and_release(slots[i]);
        }
    }
    munmap(slots, half * sizeof(void *));
    return NULL;
}

/* Two threads, each with its own half of the live blocks. */
static void run_threads(struct work *w) {
    pthread_t thread[2];
    for (int i = 0; i < 2; i++) {
        if (pthread_create(&thread[i], NULL, replace_in_thread, w) != 0) {
            give_up("no thread");
        }
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
    }
}

/* --- main --------------------------------------------------------------------------------------- */

static const struct bench_case {
    const char *name;
    double low, high; /* sizes in bytes */
    bool even;        /* every size as likely as any other; else log-uniform */
    bool filled;      /* the slots are filled before the clock starts, and emptied after it stops */
    void (*run)(struct work *w);
} cases[] = {
    {"same", 64, 64, true, false, run_same},
    {"fifo", 16, 1024, false, false, run_fifo},
    {"lifo", 16, 1024, false, false, run_lifo},
    {"fifo-even", 16, 1024, true, false, run_fifo},
    {"lifo-even", 16, 1024, true, false, run_lifo},
    {"replace", 16, 1024, false, true, run_replace},
    {"large", 65536, 4194304, false, true, run_large},
    {"zeroed", 16, 65536, false, true, run_zeroed},
    {"realloc", 16, 16, true, false, run_realloc},
    {"handover", 16, 1024, false, false, run_handover},
    {"threads", 16, 1024, false, false, run_threads},
};

static const struct bench_case *case_by_name(const char *name) {
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (strcmp(cases[i].name, name) == 0) {
            return &cases[i];
        }
    }
    give_up("no such case");
    return NULL;
}

static void fill(struct work *w) {
    for (size_t i = 0; i < w->live; i++) {
        w->slots[i] = allocate_next(w, i);
    }
}

static void empty(struct work *w) {
    for (size_t i = 0; i < w->live; i++) {
        check_and_release(w->slots[i]);
    }
}

int main(int argc, char **argv) {
    if (argc != 5) {
        give_up("usage: bench-ALLOCATOR CASE PAIRS LIVE TAGS");
    }
    const struct bench_case *c = case_by_name(argv[1]);
    uint32_t tags = (uint32_t)strtoul(argv[4], NULL, 10);
    struct work *w = own_memory(sizeof(*w));
    w->pairs = strtoull(argv[2], NULL, 10);
    w->live = strtoull(argv[3], NULL, 10);
    if (w->pairs == 0 || w->live == 0 || tags == 0) {
        give_up("PAIRS, LIVE and TAGS must be at least 1");
    }
    if (c->run == run_realloc && !ALLOCATOR_HAS_REALLOC) {
        give_up("this allocator has no realloc");
    }
    if (!allocator_start(tags)) {
        give_up("the allocator under test cannot start");
    }
    w->slots = own_memory(w->live * sizeof(void *));
    plan_requests(w, c->low, c->high, c->even, tags);

    long start_kib = status_kib("VmRSS:");
    if (c->filled) {
        fill(w);
    }
    /* A tenth of the work first: what is timed is the steady state. */
    uint64_t pairs = w->pairs;
    w->pairs = (pairs + 9) / 10;
    c->run(w);
    w->pairs = pairs;
    uint64_t begin = now_ns();
    c->run(w);
    uint64_t elapsed = now_ns() - begin;
    long peak_kib = status_kib("VmHWM:");
    if (c->filled) {
        empty(w);
    }
    printf("%.3f %ld %ld %ld\n", (double)elapsed / (double)w->pairs, start_kib, peak_kib,
           status_kib("VmRSS:"));
    return 0;
}
