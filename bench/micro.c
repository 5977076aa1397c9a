/*
 * One case, one allocator, one process:   bench-... CASE PAIRS LIVE TAGS [THREADS [REST]]
 *
 * A pair is an allocation and a free. Every block's first word is written when it is handed out and checked
 * before it is freed, and when everything has been measured a proof fills whole blocks and compares every byte:
 * an allocator that hands out the same memory twice does not finish. REST is how many milliseconds pass
 * between the last free and the one later call after which memory is looked at once more.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BATCH 1000u /* blocks of the fifo and lifo cases */

/* Sizes log-uniform or even in [low, high], tags uniform. */
static void plan_requests(struct work *w, double low, double high, bool even, uint32_t tags) {
    for (uint32_t i = 0; i < REQUESTS; i++) {
        double unit = (double)(random_step(&w->seed) >> 11) * 0x1p-53;
        double size = even ? low + unit * (high - low) : low * exp(unit * log(high / low));
        w->requests[i].size = (uint32_t)size;
        w->requests[i].tag = allocator_tag((uint32_t)(random_step(&w->seed) % tags));
    }
}

static size_t request_size(const struct work *w, uint64_t i) {
    return w->requests[i & (REQUESTS - 1)].size;
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

/* Frees a random one of the live blocks; the slot to fill again. */
static void **free_any(struct work *w) {
    void **slot = &w->slots[random_step(&w->seed) % w->live];
    check_and_release(*slot);
    return slot;
}

static void run_replace(struct work *w) {
    for (uint64_t i = 0; i < w->pairs; i++) {
        *free_any(w) = allocate_next(w, i);
    }
}

/* As replace, and every page of a block is written, as its user would. */
static void run_large(struct work *w) {
    for (uint64_t i = 0; i < w->pairs; i++) {
        void **slot = free_any(w);
        *slot = allocate_next(w, i);
        for (size_t offset = PAGE; offset < request_size(w, i); offset += PAGE) {
            ((volatile char *)*slot)[offset] = 1;
        }
    }
}

/* As replace with zeroed blocks, every byte written afterwards. */
static void run_zeroed(struct work *w) {
    for (uint64_t i = 0; i < w->pairs; i++) {
        const struct request *r = &w->requests[i & (REQUESTS - 1)];
        void **slot = free_any(w);
        char *block = allocate_zeroed(r->size, r->tag);
        if (block == NULL || block[0] != 0 || block[r->size / 2] != 0 || block[r->size - 1] != 0) {
            give_up("a zeroed block is not");
        }
        memset(block, 1, r->size);
        *slot = stamp(block);
    }
}

/*
 * As replace with large zeroed blocks: every page is written, and was zero. One instruction reads and
 * writes, since a read of its own would cost a page fault that a user who just writes does not have.
 */
static void run_zeroed_large(struct work *w) {
    for (uint64_t i = 0; i < w->pairs; i++) {
        const struct request *r = &w->requests[i & (REQUESTS - 1)];
        void **slot = free_any(w);
        unsigned char *block = allocate_zeroed(r->size, r->tag), seen = 0;
        for (size_t offset = 0; block != NULL && offset < r->size; offset += PAGE) {
            seen |= __atomic_fetch_or(&block[offset], 1, __ATOMIC_RELAXED);
        }
        if (seen != 0) {
            give_up("a zeroed block is not");
        }
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
            release(buffers[k].block);
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
        release(buffers[k].block);
    }
}

static size_t grown(size_t size, size_t most) {
    return size + size / 2 < most ? size + size / 2 : most;
}

/* One buffer that grows by half up to LIVE MiB, each page written once it is there; a pair is one growth. */
static void run_growth(struct work *w) {
    for (uint64_t i = 0; i < w->pairs; i++) {
        char *block = NULL;
        size_t size = 0;
        for (size_t next = 64; next != size; size = next, next = grown(next, w->live << 20)) {
            block = reallocate(block, next);
            if (block == NULL) {
                give_up("the allocator under test answered NULL");
            }
            for (size_t offset = (size + PAGE - 1) & -(size_t)PAGE; offset < next; offset += PAGE) {
                *(size_t *)(block + offset) = offset + i;
            }
        }
        for (size_t offset = 0; offset < size; offset += PAGE) {
            if (*(size_t *)(block + offset) != offset + i) {
                give_up("realloc lost the contents");
            }
        }
        release(block);
    }
}

/* --- how a case is measured ---------------------------------------------------------------------- */

static const struct bench_case {
    const char *name;
    double low, high; /* sizes in bytes */
    bool even;        /* every size as likely as any other; else log-uniform */
    bool filled;      /* the slots are filled before the clock starts, and emptied after it stops */
    bool reallocates;
    void (*run)(struct work *w); /* NULL: measure_threads */
} cases[] = {
    {"same", 64, 64, true, false, false, run_same},
    {"fifo", 16, 1024, false, false, false, run_fifo},
    {"lifo", 16, 1024, false, false, false, run_lifo},
    {"fifo-even", 16, 1024, true, false, false, run_fifo},
    {"lifo-even", 16, 1024, true, false, false, run_lifo},
    {"replace", 16, 1024, false, true, false, run_replace},
    {"medium", 2000, 32000, false, true, false, run_replace},
    {"live", 64, 64, true, true, false, run_replace},
    {"large", 65536, 4194304, false, true, false, run_large},
    {"random-large", 5242880, 26214400, true, true, false, run_large},
    {"zeroed", 16, 65536, false, true, false, run_zeroed},
    {"zeroed-large", 65536, 4194304, false, true, false, run_zeroed_large},
    {"realloc", 16, 16, true, false, true, run_realloc},
    {"growth", 16, 16, true, false, true, run_growth},
    {"handover", 16, 1024, false, false, false, run_handover},
    {"threads", 16, 1024, false, false, false, NULL},
};

static const struct bench_case *case_by_name(const char *name) {
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (strcmp(cases[i].name, name) == 0) {
            return &cases[i];
        }
    }
    give_up("no such case");
}

static void measure(struct work *w, const struct bench_case *c, struct figures *f) {
    for (size_t i = 0; c->filled && i < w->live; i++) {
        w->slots[i] = allocate_next(w, i);
    }
    /* A tenth of the work first: what is timed is the steady state. Under ten pairs it is the start. */
    uint64_t pairs = w->pairs;
    w->pairs = pairs / 10;
    c->run(w);
    w->pairs = pairs;
    struct clocks begin = clocks_now();
    c->run(w);
    clocks_stop(begin, f);
    f->peak_kib = peak_kib();
    for (size_t i = 0; c->filled && i < w->live; i++) {
        check_and_release(w->slots[i]);
    }
}

/* --- proof --------------------------------------------------------------------------------------- */

#define PROOF_SLOTS 64
#define PROOF_SHOWN 8192u /* of a block, its first bytes are compared, and its last 64 */

static void paint(unsigned char *block, size_t size, unsigned char colour) {
    memset(block, colour, size < PROOF_SHOWN ? size : PROOF_SHOWN);
    size_t tail = size < 64 ? size : 64;
    memset(block + size - tail, colour, tail);
}

static bool painted(const unsigned char *block, size_t size, unsigned char colour) {
    size_t shown = size < PROOF_SHOWN ? size : PROOF_SHOWN, tail = size < 64 ? size : 64;
    for (size_t i = 0; i < shown; i++) {
        if (block[i] != colour) {
            return false;
        }
    }
    for (size_t i = size - tail; i < size; i++) {
        if (block[i] != colour) {
            return false;
        }
    }
    return true;
}

/* Blocks come and go, of the case's own sizes and tags, each of another colour all over. */
static void prove_blocks(struct work *w, uint64_t steps) {
    struct {
        unsigned char *block;
        size_t size;
    } slots[PROOF_SLOTS] = {{NULL, 0}};
    for (uint64_t i = 0; i < steps + PROOF_SLOTS; i++) {
        unsigned k = i < steps ? random_step(&w->seed) % PROOF_SLOTS : (unsigned)(i - steps);
        if (slots[k].block != NULL) {
            if (!painted(slots[k].block, slots[k].size, (unsigned char)(k + 1))) {
                give_up("a live block was overwritten");
            }
            release(slots[k].block);
            slots[k].block = NULL;
        }
        if (i < steps) {
            slots[k].size = request_size(w, i);
            slots[k].block = allocate(slots[k].size, w->requests[i & (REQUESTS - 1)].tag);
            if (slots[k].block == NULL || (uintptr_t)slots[k].block % 16 != 0) {
                give_up("the allocator under test answered NULL, or a block that is not aligned");
            }
            paint(slots[k].block, slots[k].size, (unsigned char)(k + 1));
        }
    }
}

/* Where the allocator keeps accounts, they have to be exact. */
static void prove(struct work *w, const struct bench_case *c) {
    uint64_t steps = c->high > 1048576 ? 256 : 4096;
    uint64_t before, after, live;
    bool counted = allocator_accounts(&before, &live);
    if (counted && live != 0) {
        give_up("the pool's table counts blocks that were freed");
    }
    prove_blocks(w, steps);
    if (counted && (!allocator_accounts(&after, &live) || after - before != steps || live != 0)) {
        give_up("the pool's table is not exact");
    }
}

/* --- main ---------------------------------------------------------------------------------------- */

static unsigned long number(const char *text, const char *what) {
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0') {
        give_up(what);
    }
    return value;
}

/* The file that malloc comes from: a library that was to be preloaded and was not shows here. */
static const char *server(void) {
    Dl_info info;
    void *routine = dlsym(RTLD_DEFAULT, "malloc");
    return routine != NULL && dladdr(routine, &info) != 0 ? info.dli_fname : "?";
}

int main(int argc, char **argv) {
    if (argc < 5 || argc > 7) {
        give_up("usage: bench-ALLOCATOR CASE PAIRS LIVE TAGS [THREADS [REST]]");
    }
    const struct bench_case *c = case_by_name(argv[1]);
    uint32_t tags = (uint32_t)number(argv[4], "TAGS is not a number");
    struct work *w = own_memory(sizeof(*w));
    w->pairs = number(argv[2], "PAIRS is not a number");
    w->live = number(argv[3], "LIVE is not a number");
    w->threads = argc > 5 ? (unsigned)number(argv[5], "THREADS is not a number") : 1;
    unsigned long rest = argc > 6 ? number(argv[6], "REST is not a number") : 0;
    w->seed = 0x9E3779B97F4A7C15u;
    if (w->pairs == 0 || w->live == 0 || tags == 0 || w->threads == 0) {
        give_up("PAIRS, LIVE, TAGS and THREADS must be at least 1");
    }
    if (c->reallocates && !ALLOCATOR_HAS_REALLOC) {
        give_up("this allocator has no realloc");
    }
    if (!allocator_load(tags)) {
        give_up("the allocator under test cannot start");
    }
    w->slots = own_memory(w->live * sizeof(void *));
    plan_requests(w, c->low, c->high, c->even, tags);

    struct figures f = {.start_kib = resident_kib()};
    if (c->run == NULL) {
        measure_threads(w, &f);
    } else {
        allocator_thread_start();
        measure(w, c, &f);
    }
    f.freed_kib = resident_kib();
    f.private_kib = private_kib();
    rest_ms(rest);
    if (c->run == NULL) {
        allocator_thread_start(); /* this thread's first call comes now */
    }
    check_and_release(stamp(allocate(64, w->requests[0].tag)));
    f.rested_kib = resident_kib();
    prove(w, c);
    printf("wall_ns=%.3f cpu_ns=%.3f start_kib=%ld peak_kib=%ld freed_kib=%ld rested_kib=%ld "
           "private_kib=%ld server=%s\n",
           (double)f.wall_ns / (double)w->pairs, (double)f.cpu_ns / (double)w->pairs, f.start_kib,
           f.peak_kib, f.freed_kib, f.rested_kib, f.private_kib, server());
    return 0;
}
