/* Short of memory, of address space, of what the system grants: NULL, nothing lost, and on again. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/options.h"
#include "engine_test.h"
#include "ex/range.h"

/* Each case in a process of its own: options and limits are taken once, at the engine's start. */
static void in_child(void (*routine)(void)) {
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        alarm(120);
        routine();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child ended with status 0x%x", (unsigned)status);
}

#define MUST(e)                                                                                    \
    do {                                                                                           \
        if (!(e)) {                                                                                \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #e);                  \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

#define HELD_MOST 6000000u
#define TAGS 10u
static void **held;

/* Until NULL; blocks are chained through `held`, which lies outside. Returns the bytes had. */
static uint64_t exhaust(size_t size, unsigned *count) {
    uint64_t bytes = 0;
    for (*count = 0; *count < HELD_MOST; ++*count) {
        void *block = pool_alloc(test_key(*count % TAGS), size);
        if (block == NULL)
            return bytes;
        *(unsigned *)block = *count;
        held[*count] = block;
        bytes += engine_size(block);
    }
    MUST(!"memory ran out");
    return 0;
}

static void free_held(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        MUST(*(unsigned *)held[i] == i);
        MUST(engine_free(held[i], 0) == ENGINE_OK);
    }
    MUST(engine_walk() == NULL);
    MUST(test_live_blocks() == 0);
}

static void exhaust_twice(size_t size, uint64_t at_least) {
    unsigned first, second;
    uint64_t had = exhaust(size, &first), again;

    MUST(had >= at_least);
    MUST(engine_walk() == NULL);
    free_held(first);
    again = exhaust(size, &second);
    free_held(second);
    /* Nothing was lost to the first time, but that each tag's last slab may be full or empty when the next one has none. */
    MUST(again + had / 50 + TAGS * SLAB_SIZE / 2 >= had);
}

static void limit_address_space(void) {
    held = mmap(NULL, HELD_MOST * sizeof(*held), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    MUST(setrlimit(RLIMIT_AS, &(struct rlimit){500000 * 1024ul, 500000 * 1024ul}) == 0);
}

static void small_blocks_in_500_mb(void) {
    limit_address_space();
    exhaust_twice(1000, 150u << 20);
}

static void pages_in_500_mb(void) {
    limit_address_space();
    exhaust_twice(20000, 150u << 20);
}

static void spans_in_500_mb(void) {
    limit_address_space();
    exhaust_twice(3 << 20, 150u << 20);
    exhaust_twice(100, 100u << 20); /* and what was spans serves small blocks */
}

static void under_a_limit(void) {
    setenv("RXPOOL_OPTIONS", "limit=16M", 1);
    held = malloc(HELD_MOST * sizeof(*held));
    exhaust_twice(500, 10u << 20);
    exhaust_twice(100000, 10u << 20);
    free(held);
}

static void not_sanitized(const char *why) {
    if (SANITIZED) {
        print_message("skipped: %s\n", why);
        skip();
    }
}

static void limited_address_space(void **state) {
    (void)state;
    not_sanitized("a sanitizer's own reservations do not fit in 500 MB");
    in_child(small_blocks_in_500_mb);
    in_child(pages_in_500_mb);
    in_child(spans_in_500_mb);
}

static void limit_option(void **state) {
    (void)state;
    in_child(under_a_limit);
}

/* --- system calls -------------------------------------------------------------------------------- */

/* Answers `calls` with `action` from now on. */
static bool filter_calls(const unsigned *calls, unsigned count, uint32_t action) {
    struct sock_filter code[16] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    unsigned n = 1;

    for (unsigned i = 0; i < count; i++) {
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {(unsigned short)n, code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static const unsigned mapping_calls[] = {SYS_mmap, SYS_mprotect, SYS_mremap};

static void refused_from_the_start(void) {
    if (!filter_calls(mapping_calls, 3, SECCOMP_RET_ERRNO | ENOMEM))
        _exit(0);
    for (size_t size = 1; size < (size_t)1 << 40; size *= 3)
        MUST(pool_alloc(test_key(1), size) == NULL);
    MUST(engine_free(&held, 0) == ENGINE_FOREIGN);
    MUST(engine_walk() == NULL);
}

/* The pool has what it starts with, and gets no more. */
static void start_and_refuse(void) {
    held = malloc(HELD_MOST * sizeof(*held));
    memset(held, 0, HELD_MOST * sizeof(*held));
    engine_free(pool_alloc(test_key(0), 1), 0);
    if (!filter_calls(mapping_calls, 3, SECCOMP_RET_ERRNO | ENOMEM))
        _exit(0);
}

static void refused_later(void) {
    unsigned count;

    start_and_refuse();
    exhaust(700, &count);
    free_held(count);
    exhaust(9000, &count);
    free_held(count);
    MUST(pool_alloc(test_key(2), 1 << 30) == NULL);
    MUST(engine_free(pool_alloc(test_key(2), 100), 0) == ENGINE_OK);
}

/* No side array for another mixed slab, while there are free slabs: who has bins gets a slab of its own. */
static void refused_metadata(void) {
    static const size_t sizes[] = {16, 100, 700, 2500, 9000};
    unsigned count;

    start_and_refuse();
    exhaust(700, &count);
    free_held(count);
    while (meta_alloc(64) != NULL)
        continue;
    engine_trim();
    for (unsigned i = 0; i < RXP_COUNT(sizes); i++)
        MUST(engine_free(pool_alloc(test_key(i), sizes[i]), 0) == ENGINE_OK);
    pool_alloc(test_key(TAGS), 100);
    MUST(engine_walk() == NULL);
}

static void refused_mappings(void **state) {
    (void)state;
    not_sanitized("a sanitizer maps memory of its own");
    in_child(refused_from_the_start);
    in_child(refused_later);
    in_child(refused_metadata);
}

static volatile sig_atomic_t calls_seen;

static void count_call(int signal) {
    (void)signal;
    calls_seen++;
}

static void replace_at_random(void **block, unsigned count, unsigned rounds) {
    uint64_t seed = 9;
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t r = test_random(&seed);
        void **place = &block[r % count];
        if (*place != NULL)
            MUST(engine_free(*place, 0) == ENGINE_OK);
        *place = pool_alloc(test_key((r >> 32) % 16), 1 + (r >> 40) % 1024);
        MUST(*place != NULL);
    }
}

/* From now on. A call that is trapped is not made: of those that the engine relies on, only purging may be. */
static void count_calls(void) {
    static const unsigned calls[] = {SYS_madvise, SYS_munmap,   SYS_futex,
                                     SYS_mmap,    SYS_mprotect, SYS_mremap};

    signal(SIGSYS, count_call);
    if (!filter_calls(calls, RXP_COUNT(calls), SECCOMP_RET_TRAP))
        _exit(0);
}

static void calls_in_a_steady_state(void) {
    static void *block[20000];

    replace_at_random(block, 20000, 1000000);
    count_calls();
    replace_at_random(block, 20000, 1000000);
    if (calls_seen > 200) {
        fprintf(stderr, "%d system calls in a million replacements\n", (int)calls_seen);
        _exit(1);
    }
}

static void must_make_no_call(const char *what) {
    if (calls_seen == 0)
        return;
    fprintf(stderr, "%d system calls in %s\n", (int)calls_seen, what);
    _exit(1);
}

/* What is left idle for good goes back after purge= milliseconds, which is a call: not within this test. */
static void purge_never(void) {
    setenv("RXPOOL_OPTIONS", "purge=600000", 1);
}

static void no_call_for_small_blocks(void) {
    static void *block[20000];

    purge_never();
    /* So many before no page is touched for the first time. */
    replace_at_random(block, 20000, 8000000);
    count_calls();
    replace_at_random(block, 20000, 1000000);
    must_make_no_call("a million replacements");
}

/*
 * Whether it makes no call, at the third time at the latest: what is idle for 30 ms and more than lived lately goes back,
 * and a machine that lets this process wait for so long in the midst of it makes that so.
 */
static bool once_without_calls(void (*run)(void)) {
    for (unsigned i = 0; i < 3; i++) {
        calls_seen = 0;
        run();
        if (calls_seen == 0)
            return true;
    }
    return false;
}

#define LARGE_LIVE 24u

/* Each block is replaced by one of its size, from 40 KiB to 4 MiB, at random. */
static void replace_large(void **block, uint64_t *seed, unsigned rounds) {
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t n = test_random(seed) % LARGE_LIVE;
        size_t size = (40000u << n % 7) + n * 10000;
        if (block[n] != NULL)
            MUST(engine_free(block[n], 0) == ENGINE_OK);
        block[n] = engine_alloc(test_key(n % 4), test_key(n % 4), size, n % 2 ? ENGINE_ZERO : 0);
        MUST(block[n] != NULL);
        if (n % 2)
            MUST(*(size_t *)block[n] == 0);
        *(size_t *)block[n] = size;
    }
}

static void no_call_for_large_blocks(void) {
    static void *block[LARGE_LIVE];
    uint64_t seed = 11;

    purge_never();
    replace_large(block, &seed, 20000);
    count_calls();
    replace_large(block, &seed, 20000);
    must_make_no_call("20,000 replacements of large blocks");
    MUST(engine_walk() == NULL);
}

/* Blocks of any size from 64 KiB to 4 MiB: what is free is never quite what is asked for. */
static void replace_any_large(void **block, uint64_t *seed, unsigned rounds, useconds_t pause) {
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t r = test_random(seed);
        void **place = &block[r % LARGE_LIVE];
        if (*place != NULL)
            MUST(engine_free(*place, 0) == ENGINE_OK);
        *place = pool_alloc(test_key(0), (65536u << (r >> 16) % 6) + (r >> 32) % 2097152);
        MUST(*place != NULL);
        if (pause != 0)
            usleep(pause);
    }
}

static void *any_large[LARGE_LIVE];
static uint64_t any_large_seed = 12;

static void replace_any_large_for_longer(void) {
    replace_any_large(any_large, &any_large_seed, 20000, 0);
    /* What lies idle lies so for longer. */
    replace_any_large(any_large, &any_large_seed, 1000, 200);
}

static void no_call_for_any_large_blocks(void) {
    purge_never();
    replace_any_large(any_large, &any_large_seed, 20000, 0);
    count_calls();
    if (!once_without_calls(replace_any_large_for_longer))
        must_make_no_call("replacements of large blocks of any size");
    MUST(engine_walk() == NULL);
}

/* A buffer that grows by half up to 16 MiB, in place where it can, as the drop-in does it. */
static void grow(unsigned times) {
    for (unsigned i = 0; i < times; i++) {
        size_t size = 64 << 10;
        void *block = pool_alloc(test_key(1), size);
        for (; size < 16u << 20; size += size / 2) {
            if (engine_resize(block, size))
                continue;
            void *moved = pool_alloc(test_key(1), size);
            MUST(moved != NULL && engine_free(block, 0) == ENGINE_OK);
            block = moved;
        }
        MUST(engine_resize(block, 1 << 20));
        MUST(engine_free(block, 0) == ENGINE_OK);
    }
}

static void grow_1000(void) {
    grow(1000);
}

static void no_call_for_growth(void) {
    purge_never();
    grow(100);
    count_calls();
    if (!once_without_calls(grow_1000))
        must_make_no_call("1,000 buffers that grow");
}

static unsigned mappings(void) {
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned lines = 0;
    int c;

    while ((c = getc(maps)) != EOF)
        lines += c == '\n';
    fclose(maps);
    return lines;
}

static void mappings_stay_few(void) {
    static void *block[3000];
    uint64_t seed = 3;
    unsigned before = mappings();

    for (unsigned i = 0; i < 60000; i++) {
        uint64_t r = test_random(&seed);
        void **place = &block[r % 3000];
        if (*place != NULL)
            MUST(engine_free(*place, 0) == ENGINE_OK);
        *place = *place != NULL ? NULL : pool_alloc(test_key(1), 1 + (r >> 20) % 300000);
        if (i % 5000 == 0)
            engine_trim();
    }
    if (mappings() > before + 40) {
        fprintf(stderr, "%u mappings, %u at the start\n", mappings(), before);
        _exit(1);
    }
}

static void system_calls_are_bounded(void **state) {
    (void)state;
    not_sanitized("a sanitizer makes system calls of its own");
    in_child(calls_in_a_steady_state);
    in_child(no_call_for_small_blocks);
    in_child(no_call_for_large_blocks);
    in_child(no_call_for_any_large_blocks);
    in_child(no_call_for_growth);
    in_child(mappings_stay_few);
}

/* --- giving back --------------------------------------------------------------------------------------- */

/* Without pages of files: how many of a program's own code are there is no matter of the pool's. */
static uint64_t resident_kb(void) {
    FILE *status = fopen("/proc/self/statm", "r");
    unsigned long pages = 0, of_files = 0;

    MUST(fscanf(status, "%*u %lu %lu", &pages, &of_files) == 2);
    fclose(status);
    return (pages - of_files) * 4;
}

static void trim_gives_back(void) {
    static unsigned char *block[40000];
    struct engine_totals totals;

    for (unsigned i = 0; i < 40000; i++)
        memset(block[i] = pool_alloc(test_key(i % 20), 1500), 1, 1500);
    uint64_t full = resident_kb();
    for (unsigned i = 0; i < 40000; i++)
        MUST(engine_free(block[i], 0) == ENGINE_OK);
    engine_trim();
    engine_totals(&totals);
    MUST(totals.idle_bytes == 0);
    MUST(totals.live_blocks == 0);
    MUST(engine_walk() == NULL);
    MUST(full - resident_kb() >= 40000 * 1500 / 1024 * 9 / 10);
    for (unsigned i = 0; i < 1000; i++) {
        block[i] = engine_alloc(test_key(1), test_key(1), 4000, ENGINE_ZERO);
        for (unsigned k = 0; k < 4000; k++)
            MUST(block[i][k] == 0);
    }
}

static void trimmed_memory_goes_back(void **state) {
    (void)state;
    in_child(trim_gives_back);
}

/* No thread works in the background, so the first call after the wait does it: a call that the fast path could serve. */
static void empty_and_wait(unsigned tags, useconds_t pause_each_2000, unsigned calls_meanwhile) {
    static void *block[40000];

    memset(block, 1, sizeof(block)); /* its own pages are no matter of the pool's */
    pool_free(pool_alloc(test_key(0), 64));
    uint64_t start = resident_kb();
    for (unsigned i = 0; i < 40000; i++)
        memset(block[i] = pool_alloc(test_key(i % tags), 16 + i % 1000), 1, 16);
    for (unsigned i = 0; i < 40000; i++) {
        pool_free(block[i]);
        if (i % 2000 == 1999)
            usleep(pause_each_2000);
    }
    for (unsigned i = 0; i < calls_meanwhile; i++)
        pool_free(pool_alloc(test_key(0), 16 + i % 1000));
    usleep(1000 * (100 + options_get()->purge_ms));
    pool_free(pool_alloc(test_key(0), 64));
    MUST(engine_walk() == NULL);
    struct engine_totals totals;
    engine_totals(&totals);
    if (resident_kb() > start + 2048) {
        fprintf(stderr, "%llu KiB at the start, %llu now, %llu in slabs, %llu idle\n",
                (unsigned long long)start, (unsigned long long)resident_kb(),
                (unsigned long long)totals.mapped_bytes >> 10,
                (unsigned long long)totals.idle_bytes >> 10);
        _exit(1);
    }
}

static void emptied_gives_back(void) {
    empty_and_wait(1, 0, 0);
}

/* As a machine under load does it: what lived lately has been forgotten when the last block goes. */
static void emptied_slowly_gives_back(void) {
    empty_and_wait(1, 20000, 0);
}

/* Who only makes a few calls, be it thousands, does not fill it again. */
static void emptied_and_called_gives_back(void) {
    empty_and_wait(1, 0, 20000);
}

/* Their accounts stay; where the thread finds them does not. */
static void emptied_of_many_tags_gives_back(void) {
    empty_and_wait(10000, 0, 0);
}

/* Where slabs are looked at seldom, since blocks came and went for long. */
static void emptied_after_long_gives_back(void) {
    static void *block[20000];
    uint64_t seed = 7;

    memset(block, 1, sizeof(block));
    pool_free(pool_alloc(test_key(0), 64));
    uint64_t start = resident_kb();
    for (unsigned i = 0; i < 20000; i++)
        memset(block[i] = pool_alloc(test_key(i % 16), 16 + i % 1000), 1, 16);
    for (unsigned i = 0; i < 1000000; i++) {
        unsigned n = (unsigned)(test_random(&seed) % 20000);
        pool_free_by_all_paths(block[n], 0);
        block[n] = pool_alloc_by_all_paths(test_key(i % 16), 16 + (i * 7 + n) % 1000);
    }
    for (unsigned i = 0; i < 20000; i++)
        pool_free_by_all_paths(block[i], 0);
    usleep(1000 * (100 + options_get()->purge_ms));
    pool_free(pool_alloc_by_all_paths(test_key(0), 64));
    MUST(engine_walk() == NULL);
    MUST(resident_kb() <= start + 2048);
}

/* A thousand blocks in, and out again: what is looked at each time round would be a look for each thirty of them. */
static void a_steady_state_is_seldom_looked_at(void **state) {
    enum { ROUNDS = 300 };
    static void *block[1000];
    uint32_t looks = 0;

    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (round == ROUNDS / 3)
            looks = engine_thread.heap->looks;
        for (unsigned i = 0; i < 1000; i++)
            block[i] =
                pool_alloc_by_all_paths(test_key(0), (size_t)(16 + (i * 7 + round) % 17) << i % 6);
        for (unsigned i = 0; i < 1000; i++)
            pool_free_by_all_paths(block[i], 0);
    }
    assert_true(engine_thread.heap->looks - looks < ROUNDS / 3 * 2 * 1000 / 250);
}

static long faults(void) {
    struct rusage usage;
    MUST(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_minflt;
}

static void fill_and_empty(void) {
    static void *block[40000];

    for (unsigned i = 0; i < RXP_COUNT(block); i++)
        MUST((block[i] = pool_alloc(test_key(0), 500)) != NULL);
    for (unsigned i = 0; i < RXP_COUNT(block); i++)
        pool_free(block[i]);
}

/* Longer apart than what is merely too much may stay, and far less than half of purge=. */
static void filled_in_turns(void) {
    long before = 0;

    setenv("RXPOOL_OPTIONS", "purge=100000", 1);
    for (unsigned round = 0; round < 4; round++) {
        fill_and_empty();
        usleep(100000);
        pool_free(pool_alloc(test_key(0), 64));
        if (round == 0)
            before = faults();
    }
    if (faults() - before > 500) { /* of 5,000 pages a round */
        fprintf(stderr, "%ld page faults in three rounds\n", faults() - before);
        _exit(1);
    }
}

/* Slabs that come with pages of an earlier use, and use few of them, hold them all the same. */
static void few_blocks_in_used_slabs(void) {
    void *block[31];
    struct engine_totals before, after;

    setenv("RXPOOL_OPTIONS", "purge=100000", 1);
    fill_and_empty();
    engine_totals(&before);
    unsigned count = 0;
    for (unsigned k = 1; k <= 16; k++)
        block[count++] = pool_alloc(test_key(0), k * 16);
    for (unsigned k = 1; k <= 15; k++)
        block[count++] = pool_alloc(test_key(0), 4096 / k - 16);
    for (unsigned i = 0; i < count; i++)
        pool_free(block[i]);
    engine_totals(&after);
    /* What a heap keeps in its bins is a MiB of pages. */
    MUST(after.idle_bytes + (1280 << 10) >= before.idle_bytes);
    MUST(engine_walk() == NULL);
}

/* Few blocks in each of many bins: that all are freed at the end of a round is no reason to make their slabs anew in the next. */
static void rounds_in_many_bins(void) {
    static void *block[1000];
    struct engine_totals full, after;

    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < RXP_COUNT(block); i++)
            MUST((block[i] = pool_alloc(test_key(i % 16), 16 + i * 7 % 1000)) != NULL);
        engine_totals(&full);
        for (unsigned i = 0; i < RXP_COUNT(block); i++)
            pool_free(block[i]);
        engine_totals(&after);
    }
    MUST(after.mapped_bytes >= full.mapped_bytes / 4 * 3);
}

static void many_bins_keep_their_slabs(void **state) {
    (void)state;
    in_child(rounds_in_many_bins);
}

static void what_lies_idle_is_counted(void **state) {
    (void)state;
    in_child(few_blocks_in_used_slabs);
}

static void a_pool_filled_in_turns_keeps_its_pages(void **state) {
    (void)state;
    not_sanitized("a sanitizer's own pages count among the faults");
    in_child(filled_in_turns);
}

static void an_emptied_pool_gives_back_at_the_next_call(void **state) {
    (void)state;
    not_sanitized("a sanitizer's own memory counts among what is resident");
    in_child(emptied_gives_back);
    in_child(emptied_slowly_gives_back);
    in_child(emptied_and_called_gives_back);
    in_child(emptied_of_many_tags_gives_back);
    in_child(emptied_after_long_gives_back);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limited_address_space),
        cmocka_unit_test(limit_option),
        cmocka_unit_test(a_pool_filled_in_turns_keeps_its_pages),
        cmocka_unit_test(what_lies_idle_is_counted),
        cmocka_unit_test(many_bins_keep_their_slabs),
        cmocka_unit_test(refused_mappings),
        cmocka_unit_test(system_calls_are_bounded),
        cmocka_unit_test(a_steady_state_is_seldom_looked_at),
        cmocka_unit_test(trimmed_memory_goes_back),
        cmocka_unit_test(an_emptied_pool_gives_back_at_the_next_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
