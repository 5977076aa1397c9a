/* Cases of more than one thread. */
#define _GNU_SOURCE
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

/* --- one allocates, another frees --------------------------------------------------------------- */

#define RING 4096u /* blocks on the way at most; a power of two */

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

void run_handover(struct work *w) {
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

/* --- each on its own ---------------------------------------------------------------------------- */

struct member {
    struct work *work;
    void **slots;
    size_t live;
    uint64_t pairs;
    uint64_t seed;
    struct clocks begin, end; /* of the timed part, this thread's own */
};

/* All meet before the timed part, after it, and when the peak has been read. */
static pthread_barrier_t ready, done, read_out;

static void replace(struct member *m, uint64_t pairs) {
    for (uint64_t i = 0; i < pairs; i++) {
        void **slot = &m->slots[random_step(&m->seed) % m->live];
        check_and_release(*slot);
        *slot = allocate_next(m->work, i);
    }
}

static void *member_run(void *argument) {
    struct member *m = argument;
    allocator_thread_start();
    size_t filled = 0;
    do { /* a share is a block at least */
        m->slots[filled] = allocate_next(m->work, filled);
    } while (++filled < m->live);
    replace(m, m->pairs / 10);
    pthread_barrier_wait(&ready);
    m->begin = thread_clocks_now();
    replace(m, m->pairs);
    m->end = thread_clocks_now();
    pthread_barrier_wait(&done);
    pthread_barrier_wait(&read_out);
    for (size_t i = 0; i < m->live; i++) {
        check_and_release(m->slots[i]);
    }
    return NULL;
}

/*
 * From the first thread's start to the last one's end, by their own clocks: on a busy machine the one that
 * measures may wake up when the others are nearly done.
 */
static void add_up(const struct member *members, unsigned count, struct figures *f) {
    uint64_t first = UINT64_MAX, last = 0;
    f->cpu_ns = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct member *m = &members[i];
        first = m->begin.wall_ns < first ? m->begin.wall_ns : first;
        last = m->end.wall_ns > last ? m->end.wall_ns : last;
        f->cpu_ns += m->end.cpu_ns - m->begin.cpu_ns;
    }
    f->wall_ns = last - first;
}

void measure_threads(struct work *w, struct figures *f) {
    enum { MOST = 256 };
    static struct member members[MOST];
    static pthread_t thread[MOST];
    unsigned count = w->threads;
    if (count > MOST || w->live < count || w->pairs < count) {
        give_up("threads: 256 at most, and a block and a pair for each");
    }
    pthread_barrier_init(&ready, NULL, count + 1);
    pthread_barrier_init(&done, NULL, count + 1);
    pthread_barrier_init(&read_out, NULL, count + 1);
    size_t share = w->live / count;
    for (unsigned i = 0; i < count; i++) {
        members[i] = (struct member){.work = w,
                                     .slots = w->slots + i * share,
                                     .live = share,
                                     .pairs = w->pairs / count,
                                     .seed = 0x9E3779B97F4A7C15u * (i + 1)};
        if (pthread_create(&thread[i], NULL, member_run, &members[i]) != 0) {
            give_up("no thread");
        }
    }
    pthread_barrier_wait(&ready);
    pthread_barrier_wait(&done);
    add_up(members, count, f);
    f->peak_kib = peak_kib();
    pthread_barrier_wait(&read_out);
    for (unsigned i = 0; i < count; i++) {
        pthread_join(thread[i], NULL);
    }
}
