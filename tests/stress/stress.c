/*
 * Seeded stress of the engine: threads that allocate, resize, free, free each other's blocks, end and start
 * again, and free past their thread-local destructors, while a reader looks on.
 *
 * Every worker keeps the truth about what it did, tag by tag. At each pause (every thread at a barrier) the
 * pool table must agree with the sum of those to the unit, and engine_walk must find nothing.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ex/cold.h"
#include "ex/engine.h"
#include "rxpool/stats.h"
#include "stress.h"

#define TAGS_MOST 16384u
#define QUEUE 256u
#define LATE_ROUNDS 3 /* of destructors: the engine's own has run by the last */

struct block {
    unsigned char *at;
    uint32_t size, tag;
};

struct tally {
    uint64_t allocs, frees;
    int64_t bytes;
};

/* One worker's place; the threads that fill it follow one another. */
struct place {
    unsigned index;
    uint64_t random;
    pthread_t before; /* the thread that was here, to be joined */
    bool follows;
    struct block *held;
    unsigned count;
    struct tally *tally;
    struct tally *late;   /* by destructors, which may run beside the next thread */
    pthread_mutex_t lock; /* guards the queue and `late` */
    struct block queue[QUEUE];
    unsigned queued;
};

struct stress_options option = {
    .threads = 4, .seconds = 6, .hold = 2000, .phases = 3, .tags = {1, 100, 10000}, .seed = 1};

static struct place places[THREADS_MOST];
static pthread_barrier_t barrier;
static pthread_key_t late_key;
static unsigned tag_count;
static _Atomic bool pause_wanted, over, reader_over;
static _Atomic uint64_t operations, lives, reads, rows, torn;

#define FAIL(...)                                                                                  \
    do {                                                                                           \
        fprintf(stderr, "stress: " __VA_ARGS__);                                                   \
        fprintf(stderr, " (seed %llu, %u threads, %u tags)\n", (unsigned long long)option.seed,    \
                option.threads, tag_count);                                                        \
        abort();                                                                                   \
    } while (0)

/* --- chance and payload ------------------------------------------------------------------------ */

static uint64_t mix(uint64_t x) {
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static uint32_t chance(struct place *p, uint32_t below) {
    p->random = mix(p->random);
    return (uint32_t)((p->random >> 32) * below >> 32);
}

static uint32_t tag_of(uint32_t number) {
    return (uint32_t)('A' + number % 26) | (uint32_t)('a' + number / 26 % 26) << 8 |
           (uint32_t)('a' + number / 676 % 26) << 16 | (uint32_t)'0' << 24;
}

static uint32_t tag_number(uint32_t tag) {
    return ((tag & 0xFF) - 'A') + ((tag >> 8 & 0xFF) - 'a') * 26 + ((tag >> 16 & 0xFF) - 'a') * 676;
}

static uint64_t key_of(uint32_t number) {
    return ACCOUNT_KEY(tag_of(number), number % 2 ? ACCOUNT_PAGED : 0, 0);
}

/* Both ends and a byte of every 509: enough to see a neighbour's hand, cheap enough to do always. */
static bool payload(const struct block *b, bool write) {
    unsigned char seed = (unsigned char)mix((uintptr_t)b->at ^ b->size);

    for (uint32_t i = 0; i < b->size; i += i < 32 || i + 33 > b->size ? 1
                                           : b->size - i < 541        ? b->size - i - 32
                                                                      : 509) {
        unsigned char want = (unsigned char)(seed + i);
        if (write)
            b->at[i] = want;
        else if (b->at[i] != want)
            return false;
    }
    return true;
}

static uint32_t any_size(struct place *p) {
    uint32_t kind = chance(p, 1000);
    if (kind < 850)
        return 1 + chance(p, 16u << chance(p, 6));
    if (kind < 990)
        return 1 + chance(p, 1024u << chance(p, 6));
    return 1 + chance(p, 256 * 1024);
}

/* --- what a worker does ---------------------------------------------------------------------------- */

static void count_freed(struct tally *tally, uint64_t size) {
    tally->frees++;
    tally->bytes -= (int64_t)size;
}

/* Frees with or without the tag, as callers do. */
static uint64_t release(const struct block *b) {
    uint64_t size = engine_size(b->at);
    enum engine_verdict verdict;

    if (!payload(b, false))
        FAIL("the payload of %p, %u bytes, changed", (void *)b->at, b->size);
    uint32_t tag = b->size % 2 ? tag_of(b->tag) : 0;
    const struct slab_label *label = fast_label(b->at);
    uint32_t owner = STATE_LOAD(&label->owner);
    verdict = fast_free(label, owner, b->at, tag) || cold_free(label, owner, b->at, tag) ||
                      cold_push(label, owner, b->at, tag)
                  ? ENGINE_OK
                  : engine_free(b->at, tag);
    if (verdict != ENGINE_OK)
        FAIL("freeing %p, %u bytes, answered %d", (void *)b->at, b->size, (int)verdict);
    return size;
}

static void free_one(struct place *p, const struct block *b) {
    count_freed(&p->tally[b->tag], release(b));
}

static void *allocate_any(struct place *p, uint32_t number, uint32_t size) {
    uint64_t key = key_of(number);
    uint32_t how = chance(p, 64);

    if (how == 0) {
        size_t alignment = (size_t)16 << chance(p, 10);
        void *at = engine_alloc_aligned(key, key, size, alignment, 0);
        if ((uintptr_t)at % alignment != 0)
            FAIL("%p is not aligned to %zu", at, alignment);
        return at;
    }
    if (how == 1) {
        const unsigned char *at = engine_alloc(key, key, size, ENGINE_ZERO);
        for (uint32_t i = 0; at != NULL && i < size; i++)
            if (at[i] != 0)
                FAIL("byte %u of %u of a zeroed block is 0x%02x", i, size, at[i]);
        return (void *)at;
    }
    if (how == 2)
        return engine_alloc(key, key, size, ENGINE_NO_INSTALL);
    const struct table_entry *e = fast_entry(key);
    void *at = fast_alloc(e, key, size, LAYOUT_POOL);
    if (at == NULL)
        at = cold_alloc(e, key, size, LAYOUT_POOL);
    if (at == NULL)
        at = engine_alloc_known(key, size, LAYOUT_POOL);
    return at != NULL ? at : engine_alloc(key, key, size, 0);
}

static void allocate_one(struct place *p) {
    /* Half of all calls go to an eighth of the tags: warm and cold ones at once. */
    uint32_t number = chance(p, chance(p, 2) ? tag_count : (tag_count + 7) / 8);
    struct block b = {.size = any_size(p), .tag = number};

    b.at = allocate_any(p, number, b.size);
    if (b.at == NULL)
        FAIL("no memory for %u bytes", b.size);
    payload(&b, true);
    p->tally[number].allocs++;
    p->tally[number].bytes += (int64_t)engine_size(b.at);
    p->held[p->count++] = b;
}

static void resize_one(struct place *p, struct block *b) {
    uint64_t before = engine_size(b->at);
    uint32_t size = any_size(p);

    if (!payload(b, false))
        FAIL("the payload of %p, %u bytes, changed", (void *)b->at, b->size);
    if (!engine_resize(b->at, size))
        return;
    if (engine_size(b->at) < size)
        FAIL("%p was resized to %u bytes and has %zu", (void *)b->at, size, engine_size(b->at));
    p->tally[b->tag].bytes += (int64_t)engine_size(b->at) - (int64_t)before;
    b->size = size;
    payload(b, true);
}

static bool send_block(struct place *to, const struct block *b) {
    bool sent = false;

    pthread_mutex_lock(&to->lock);
    if (to->queued < QUEUE) {
        to->queue[to->queued++] = *b;
        sent = true;
    }
    pthread_mutex_unlock(&to->lock);
    return sent;
}

static void free_received(struct place *p) {
    struct block got[QUEUE];
    unsigned count;

    pthread_mutex_lock(&p->lock);
    count = p->queued;
    memcpy(got, p->queue, count * sizeof(*got));
    p->queued = 0;
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < count; i++)
        free_one(p, &got[i]);
}

static void step(struct place *p) {
    uint32_t what = chance(p, 100);
    uint32_t which = p->count > 0 ? chance(p, p->count) : 0;

    if (p->count == 0 || (what < 50 && p->count < option.hold)) {
        allocate_one(p);
    } else if (what < 75) {
        struct block b = p->held[which];
        p->held[which] = p->held[--p->count];
        free_one(p, &b);
    } else if (what < 96) {
        if (send_block(&places[chance(p, option.threads)], &p->held[which]))
            p->held[which] = p->held[--p->count];
    } else {
        resize_one(p, &p->held[which]);
    }
    if (what % 16 == 0)
        free_received(p);
}

/* --- lives of threads --------------------------------------------------------------------------------- */

struct late {
    struct place *place;
    int rounds;
    struct block block;
};

/* Runs after the engine's own destructor when it comes round again: that thread has no heap any more. */
static void free_late(void *argument) {
    struct late *late = argument;

    if (++late->rounds < LATE_ROUNDS) {
        pthread_setspecific(late_key, late);
        return;
    }
    pthread_mutex_lock(&late->place->lock);
    count_freed(&late->place->late[late->block.tag], release(&late->block));
    pthread_mutex_unlock(&late->place->lock);
    free(late);
}

static void leave_block_for_later(struct place *p) {
    struct late *late;

    if (p->count == 0)
        return;
    late = calloc(1, sizeof(*late));
    late->place = p;
    late->block = p->held[--p->count];
    pthread_setspecific(late_key, late);
}

static void join_before(struct place *p) {
    if (p->follows)
        pthread_join(p->before, NULL);
    p->follows = false;
}

static void *work(void *argument);

static void start_next(struct place *p) {
    pthread_t next;

    p->before = pthread_self();
    p->follows = true;
    atomic_fetch_add(&lives, 1);
    if (pthread_create(&next, NULL, work, p) != 0)
        FAIL("no thread");
}

static void *work(void *argument) {
    struct place *p = argument;
    /* A few live on; most are short. */
    uint64_t left = 200 + chance(p, chance(p, 4) == 0 ? 30000 : 1500);

    while (!atomic_load(&over)) {
        if (atomic_load(&pause_wanted)) {
            join_before(p);
            pthread_barrier_wait(&barrier); /* all quiet */
            pthread_barrier_wait(&barrier); /* checked */
            continue;
        }
        if (left-- == 0) {
            join_before(p);
            leave_block_for_later(p);
            start_next(p);
            return NULL;
        }
        step(p);
        atomic_fetch_add_explicit(&operations, 1, memory_order_relaxed);
    }
    join_before(p);
    p->before = pthread_self();
    p->follows = true;
    pthread_barrier_wait(&barrier);
    return NULL;
}

/* --- checks --------------------------------------------------------------------------------------------- */

static void sum_model(struct tally *sum) {
    memset(sum, 0, TAGS_MOST * sizeof(*sum));
    for (unsigned t = 0; t < option.threads; t++)
        for (unsigned i = 0; i < TAGS_MOST; i++) {
            sum[i].allocs += places[t].tally[i].allocs;
            sum[i].frees += places[t].tally[i].frees + places[t].late[i].frees;
            sum[i].bytes += places[t].tally[i].bytes + places[t].late[i].bytes;
        }
}

static void read_table(struct rxpool_stats *stats) {
    struct rxpool_stats_error error;

    if (rxpool_stats_read(stats, &error) != RXPOOL_STATS_OK)
        FAIL("reading the table: %s", error.text);
}

/* With every thread at the barrier. */
static void check_exact(struct rxpool_stats *stats, const struct tally *sum) {
    const struct rxpool_stats_row *row;
    const char *wrong = engine_walk();
    unsigned seen = 0, expected = 0;

    if (wrong != NULL)
        FAIL("engine_walk: %s", wrong);
    read_table(stats);
    for (uint32_t i = 0; (row = rxpool_stats_row(stats, i)) != NULL; i++) {
        uint32_t number = tag_number(row->tag);
        if (number >= TAGS_MOST || tag_of(number) != row->tag)
            continue; /* not one of ours */
        const struct tally *want = &sum[number];
        seen++;
        if (row->allocs != want->allocs || row->frees != want->frees ||
            row->bytes != (uint64_t)want->bytes || row->diff != want->allocs - want->frees)
            FAIL("tag %.4s: table %llu %llu %llu, model %llu %llu %lld (allocs, frees, bytes)",
                 (const char *)&row->tag, (unsigned long long)row->allocs,
                 (unsigned long long)row->frees, (unsigned long long)row->bytes,
                 (unsigned long long)want->allocs, (unsigned long long)want->frees,
                 (long long)want->bytes);
    }
    for (unsigned i = 0; i < TAGS_MOST; i++)
        expected += sum[i].allocs != 0;
    if (seen != expected)
        FAIL("the table has %u rows of %u", seen, expected);
}

/* Never stops anybody: diff is never negative, totals never fall. */
static void *look_on(void *argument) {
    static uint64_t last_allocs[TAGS_MOST], last_frees[TAGS_MOST];
    struct rxpool_stats *stats = argument;
    const struct rxpool_stats_row *row;

    while (!atomic_load(&reader_over)) {
        read_table(stats);
        for (uint32_t i = 0; (row = rxpool_stats_row(stats, i)) != NULL; i++) {
            uint32_t number = tag_number(row->tag);
            if (number >= TAGS_MOST || tag_of(number) != row->tag)
                continue;
            rows++;
            if (row->allocs < row->frees || row->diff != row->allocs - row->frees)
                FAIL("tag %.4s: %llu allocs, %llu frees", (const char *)&row->tag,
                     (unsigned long long)row->allocs, (unsigned long long)row->frees);
            /* Its account was being changed for as long as the reader would wait. */
            if (row->flags & RXPOOL_STATS_TORN) {
                torn++;
                continue;
            }
            if (row->allocs < last_allocs[number] || row->frees < last_frees[number])
                FAIL("tag %.4s: totals fell from %llu, %llu to %llu, %llu", (const char *)&row->tag,
                     (unsigned long long)last_allocs[number],
                     (unsigned long long)last_frees[number], (unsigned long long)row->allocs,
                     (unsigned long long)row->frees);
            last_allocs[number] = row->allocs;
            last_frees[number] = row->frees;
        }
        atomic_fetch_add_explicit(&reads, 1, memory_order_relaxed);
    }
    return NULL;
}

/* --- the run ----------------------------------------------------------------------------------------------- */

static void sleep_ms(unsigned ms) {
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pause_and_check(struct rxpool_stats *stats, struct tally *sum) {
    atomic_store(&pause_wanted, true);
    pthread_barrier_wait(&barrier);
    sum_model(sum);
    check_exact(stats, sum);
    atomic_store(&pause_wanted, false);
    pthread_barrier_wait(&barrier);
}

static unsigned run_phase(struct rxpool_stats *stats, struct tally *sum, double seconds) {
    double end = now() + seconds;
    unsigned pauses = 0;

    atomic_store(&over, false);
    for (unsigned i = 0; i < option.threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, &places[i]) != 0)
            FAIL("no thread");
    }
    for (; now() < end; pauses++) {
        sleep_ms(50 + (unsigned)(mix(option.seed + pauses) % 150));
        pause_and_check(stats, sum);
    }
    atomic_store(&over, true);
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < option.threads; i++)
        join_before(&places[i]);
    return pauses;
}

static void free_everything(void) {
    for (unsigned t = 0; t < option.threads; t++) {
        struct place *p = &places[t];
        free_received(p);
        while (p->count > 0)
            free_one(p, &p->held[--p->count]);
    }
}

/* For a reader in another process: the model in a file, and this process stopped. */
static void stop_for_reader(const struct tally *sum) {
    FILE *file = fopen(option.stop_file, "w");

    if (file == NULL)
        FAIL("cannot write %s", option.stop_file);
    for (unsigned i = 0; i < TAGS_MOST; i++) {
        uint32_t tag = tag_of(i);
        if (sum[i].allocs != 0)
            fprintf(file, "%.4s %llu %llu %lld\n", (const char *)&tag,
                    (unsigned long long)sum[i].allocs, (unsigned long long)sum[i].frees,
                    (long long)sum[i].bytes);
    }
    fclose(file);
    stress_stop();
}

static void places_init(void) {
    pthread_key_create(&late_key, free_late);
    pthread_barrier_init(&barrier, NULL, option.threads + 1);
    for (unsigned i = 0; i < option.threads; i++) {
        struct place *p = &places[i];
        p->index = i;
        p->random = mix(option.seed * 1000 + i);
        p->held = calloc(option.hold, sizeof(*p->held));
        p->tally = calloc(TAGS_MOST, sizeof(*p->tally));
        p->late = calloc(TAGS_MOST, sizeof(*p->late));
        pthread_mutex_init(&p->lock, NULL);
    }
}

static struct rxpool_stats *open_self(void) {
    struct rxpool_stats *stats;
    struct rxpool_stats_error error;

    if (rxpool_stats_open_self(&stats, &error) != RXPOOL_STATS_OK)
        FAIL("opening the own table: %s", error.text);
    return stats;
}

int main(int argc, char **argv) {
    const uint64_t first = ACCOUNT_KEY(0x31313131, 0, 0);
    static struct tally sum[TAGS_MOST];
    pthread_t reader;
    unsigned pauses = 0;

    stress_options_read(argc, argv);
    tag_count = option.tags[0];
    places_init();
    /* There is no table to read before the first block; this one has a tag of its own. */
    engine_free(engine_alloc(first, first, 1, 0), 0);
    struct rxpool_stats *stats = open_self(), *stats_of_reader = open_self();
    if (pthread_create(&reader, NULL, look_on, stats_of_reader) != 0)
        FAIL("no thread");
    for (unsigned i = 0; i < option.phases; i++) {
        tag_count = option.tags[i];
        pauses += run_phase(stats, sum, (double)option.seconds / option.phases);
    }
    atomic_store(&reader_over, true);
    pthread_join(reader, NULL);
    if (torn > 10 + rows / 1000)
        FAIL("%llu of %llu rows were torn", (unsigned long long)torn, (unsigned long long)rows);
    sum_model(sum);
    check_exact(stats, sum);
    if (option.stop_file != NULL)
        stop_for_reader(sum);
    free_everything();
    sum_model(sum);
    check_exact(stats, sum);
    for (unsigned i = 0; i < TAGS_MOST; i++)
        if (sum[i].bytes != 0 || sum[i].allocs != sum[i].frees)
            FAIL("the model itself does not end at nothing");
    printf("stress: %llu operations, %llu threads, %u pauses, %llu reads (%llu of %llu rows torn), "
           "seed %llu: exact\n",
           (unsigned long long)operations,
           (unsigned long long)lives + option.phases * option.threads, pauses,
           (unsigned long long)reads, (unsigned long long)torn, (unsigned long long)rows,
           (unsigned long long)option.seed);
    rxpool_stats_close(stats_of_reader);
    rxpool_stats_close(stats);
    return 0;
}
