/*
 * Blocks between guard pages. What the options ask for decides what can be tested, so each group is a run
 * of its own: test_special GROUP, with RXPOOL_OPTIONS as the CMakeLists gives them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ntifs.h>

#include "unit.h"

#define DBG 1
#include <ntrxdef.h>

#include "base/options.h"
#include "ex/special.h"
#include "plat/guard.h"
#include "rxpool/stats.h"

#define PAGE 4096u
#define TAG 'cepS' /* reads "Spec" in memory order */
#define OTHER 'rhtO'

static bool readable(const volatile void *p) {
    char c;
    return plat_read_memory((const void *)p, &c, 1);
}

static struct special_coverage coverage(void) {
    struct special_coverage c;
    special_coverage(&c);
    return c;
}

static bool is_guarded(const void *block) {
    return special_size(block) != 0;
}

static void walk(void) {
    const char *wrong = engine_walk();
    if (wrong != NULL)
        fail_msg("engine_walk: %s", wrong);
}

static enum options_side side(void) {
    return options_get()->special_side;
}

/* Bytes between the end of a pool's block of this size and its guard. */
static size_t room_behind(size_t size) {
    if (side() == OPTIONS_SIDE_UNDER)
        return rxp_round_up(size, PAGE) - size;
    if (size >= PAGE)
        return rxp_round_up(size, PAGE) - size;
    return side() == OPTIONS_SIDE_EXACT ? 0 : rxp_round_up(size, 16) - size;
}

/* --- sides: run with special=Spec and each side ------------------------------------------------- */

static void every_size_lies_against_its_guard(void **state) {
    (void)state;
    for (size_t size = 1; size < 3 * PAGE; size += size < 300 ? 1 : 37) {
        unsigned char *p = ExAllocatePool2(POOL_FLAG_NON_PAGED, size, TAG);
        BOOLEAN charged;
        assert_non_null(p);
        assert_true(is_guarded(p));
        assert_int_equal(ExQueryPoolBlockSize(p, &charged), size);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xAA, size);
        assert_false(readable(p + size + room_behind(size)));
        if (side() == OPTIONS_SIDE_UNDER)
            assert_false(readable(p - 1));
        assert_int_equal((uintptr_t)p % (size >= PAGE                   ? PAGE
                                         : side() == OPTIONS_SIDE_EXACT ? 1
                                                                        : 16),
                         0);
        if (size < PAGE)
            assert_int_equal((uintptr_t)p / PAGE, ((uintptr_t)p + size - 1) / PAGE);
        ExFreePoolWithTag(p, TAG);
        assert_false(readable(p));
    }
    walk();
}

static void cache_aligned_types_stay_so(void **state) {
    (void)state;
    for (size_t size = 1; size < 2000; size += 33) {
        char *p = ExAllocatePoolWithTag(NonPagedPoolNxCacheAligned, size, TAG);
        assert_true(is_guarded(p));
        assert_int_equal((uintptr_t)p % 64, 0);
        ExFreePool(p);
    }
}

static void other_tags_have_no_guard_and_stay_fast(void **state) {
    (void)state;
    struct special_coverage before = coverage();
    for (int i = 0; i < 1000; i++) {
        void *p = ExAllocatePoolWithTag(PagedPool, 100, OTHER);
        assert_false(is_guarded(p));
        ExFreePool(p);
    }
    assert_int_equal(coverage().guarded, before.guarded);
    assert_int_equal(coverage().live, before.live);
}

static void row_of(uint32_t tag, struct rxpool_stats_row *out) {
    struct rxpool_stats *stats;
    struct rxpool_stats_error error;
    const struct rxpool_stats_row *row;

    memset(out, 0, sizeof(*out));
    assert_int_equal(rxpool_stats_open_self(&stats, &error), RXPOOL_STATS_OK);
    assert_int_equal(rxpool_stats_read(stats, &error), RXPOOL_STATS_OK);
    for (uint32_t i = 0; (row = rxpool_stats_row(stats, i)) != NULL; i++)
        if (row->tag == tag)
            *out = *row;
    rxpool_stats_close(stats);
}

static void figures_are_exact(void **state) {
    (void)state;
    struct rxpool_stats_row before, during, after;
    char *p[50];
    uint64_t bytes = 0;

    row_of(TAG, &before);
    for (size_t i = 0; i < RXP_COUNT(p); i++) {
        p[i] = ExAllocatePoolWithTag(NonPagedPoolNx, 100 * i + 1, TAG);
        bytes += 100 * i + 1;
    }
    row_of(TAG, &during);
    for (size_t i = 0; i < RXP_COUNT(p); i++)
        ExFreePoolWithTag(p[i], TAG);
    row_of(TAG, &after);
    assert_int_equal(during.allocs - before.allocs, RXP_COUNT(p));
    assert_int_equal(during.bytes - before.bytes, bytes);
    assert_int_equal(after.frees - before.frees, RXP_COUNT(p));
    assert_int_equal(after.bytes, before.bytes);
}

static void verdicts(void **state) {
    (void)state;
    char *p = ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG);
    struct engine_block b;

    assert_int_equal(engine_lookup(p, &b), ENGINE_OK);
    assert_int_equal(b.size, 100);
    assert_int_equal(b.tag, TAG);
    assert_int_equal(engine_lookup(p + 1, &b), ENGINE_INTERIOR);
    assert_int_equal(b.start, (uintptr_t)p);
    assert_int_equal(engine_lookup(p + 100 + room_behind(100), &b), ENGINE_UNUSED);
    assert_int_equal(engine_free(p + 16, 0), ENGINE_INTERIOR);
    assert_int_equal(engine_free(p, OTHER), ENGINE_WRONG_TAG);
    assert_int_equal(engine_free(p, TAG), ENGINE_OK);
    assert_int_equal(engine_free(p, TAG), ENGINE_NOT_LIVE);
    assert_int_equal(engine_lookup(p, &b), ENGINE_NOT_LIVE);
    assert_int_equal(special_size(p), 0);
}

static void damage_next_to_a_block_is_found(void **state) {
    (void)state;
    size_t size = 100;
    if (room_behind(size) > 0) {
        char *p = ExAllocatePoolWithTag(NonPagedPoolNx, size, TAG);
        p[size] ^= 1;
        assert_int_equal(engine_free(p, TAG), ENGINE_DAMAGED);
        assert_true(readable(p)); /* set aside: the report shows it */
        assert_int_equal(engine_free(p, TAG), ENGINE_NOT_LIVE);
    }
    if (side() != OPTIONS_SIDE_UNDER) {
        char *p = ExAllocatePoolWithTag(NonPagedPoolNx, size, TAG);
        p[-1] ^= 1;
        assert_int_equal(engine_free(p, TAG), ENGINE_DAMAGED);
    }
}

struct seen {
    uintptr_t block;
    size_t bytes;
    unsigned times;
};

static void see(void *argument, uintptr_t block, size_t bytes) {
    struct seen *seen = argument;
    if (block == seen->block) {
        seen->bytes = bytes;
        seen->times++;
    }
}

static void live_blocks_are_seen_once(void **state) {
    (void)state;
    char *small = ExAllocatePoolWithTag(NonPagedPoolNx, 77, TAG);
    char *large = ExAllocatePoolWithTag(NonPagedPoolNx, 300000, TAG);
    struct seen s = {(uintptr_t)small, 0, 0}, l = {(uintptr_t)large, 0, 0};
    struct engine_block b;

    assert_true(is_guarded(large));
    memset(large, 1, 300000);
    engine_each_live(see, &s);
    engine_each_live(see, &l);
    assert_int_equal(s.times, 1);
    assert_int_equal(s.bytes, 77);
    assert_int_equal(l.times, 1);
    assert_int_equal(l.bytes, 300000);
    assert_int_equal(engine_lookup(large + 200000, &b), ENGINE_INTERIOR);
    assert_int_equal(b.start, (uintptr_t)large);
    ExFreePool(small);
    ExFreePool(large);
    assert_false(readable(large + 200000));
    s.times = 0;
    engine_each_live(see, &s);
    assert_int_equal(s.times, 0);
    walk();
}

static void *free_it(void *block) {
    ExFreePoolWithTag(block, TAG);
    return NULL;
}

static void another_thread_and_a_child_free_them(void **state) {
    (void)state;
    char *p = ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG);
    char *q = ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG);
    pthread_t thread;
    int status;

    assert_int_equal(pthread_create(&thread, NULL, free_it, p), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(readable(p));
    pid_t child = fork();
    if (child == 0) {
        bool good = !readable(p) && readable(q);
        ExFreePool(q);
        char *r = ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG);
        good &= !readable(q) && is_guarded(r) && engine_walk() == NULL;
        ExFreePool(r);
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(readable(q));
    ExFreePool(q);
}

/* More than wait in the queue: the first one's pages are used again, and read as zero; so do the next 2,000. */
static void freed_pages_come_back_clean(void **state) {
    (void)state;
    char *first = NULL;
    unsigned again = 0;
    for (unsigned i = 0; i < 40000 && again < 2000; i++) {
        char *p = ExAllocatePoolWithTag(PagedPool, 64, TAG);
        assert_non_null(p);
        for (unsigned k = 0; k < 64; k++)
            if (p[k] != 0)
                fail_msg("block %u is not clean", i);
        memset(p, 0xEE, 64);
        if (first == NULL)
            first = p;
        else if (p == first || again != 0)
            again++;
        if (i < 10000)
            assert_int_equal(again, 0);
        ExFreePool(p);
    }
    assert_int_not_equal(again, 0);
    walk();
}

static void checked_blocks_of_every_size(void **state) {
    (void)state;
    for (ULONG size = 1; size < 3 * PAGE; size += size < 300 ? 1 : 41) {
        char *p = RxAllocatePoolWithTag(PagedPool, size, TAG);
        assert_non_null(p);
        assert_true(is_guarded((char *)((uintptr_t)p & ~(uintptr_t)(PAGE - 1))) ||
                    is_guarded((char *)(((uintptr_t)p & ~(uintptr_t)(PAGE - 1)) - PAGE)));
        memset(p, 1, size);
        assert_true(RxCheckMemoryBlock(p));
        assert_false(readable(p + size + room_behind(size)));
        if (side() == OPTIONS_SIDE_UNDER)
            assert_false(readable(p - 1));
        RxFreePool(p);
        assert_false(readable(p));
        assert_false(RxCheckMemoryBlock(p));
    }
    char *p = RxAllocatePoolWithTag(NonPagedPoolNx, 50, TAG);
    assert_false(RxCheckMemoryBlock(p + 1));
    assert_false(RxCheckMemoryBlock(p + PAGE));
    RxCheckAllMemoryBlocks();
    RxFreePool(p);
    RxCheckAllMemoryBlocks();
    walk();
}

static int run_sides(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_lies_against_its_guard),
        cmocka_unit_test(cache_aligned_types_stay_so),
        cmocka_unit_test(other_tags_have_no_guard_and_stay_fast),
        cmocka_unit_test(figures_are_exact),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(damage_next_to_a_block_is_found),
        cmocka_unit_test(live_blocks_are_seen_once),
        cmocka_unit_test(another_thread_and_a_child_free_them),
        cmocka_unit_test(freed_pages_come_back_clean),
        cmocka_unit_test(checked_blocks_of_every_size),
    };
    return cmocka_run_group_tests_name("special: sides", tests, NULL, NULL);
}

/* --- many: special=* ------------------------------------------------------------------------------ */

#define MANY 100000u

static void *many[MANY];

/* All have a guard, or the report says how many have none. */
static void a_hundred_thousand_at_once(void **state) {
    (void)state;
    size_t budget = plat_guard_budget();
    uint64_t expected = budget < MANY ? budget : MANY, guarded = 0;

    print_message("guards: %s\n", budget == SIZE_MAX ? "installed in page tables" : "mappings");
    for (size_t i = 0; i < MANY; i++) {
        many[i] = ExAllocatePoolWithTag(PagedPool, 32, TAG);
        assert_non_null(many[i]);
        memset(many[i], 1, 32);
        guarded += is_guarded(many[i]);
    }
    struct special_coverage c = coverage();
    assert_int_equal(guarded, expected);
    assert_int_equal(c.guarded, guarded);
    assert_int_equal(c.no_guard, MANY - guarded);
    assert_int_equal(c.live, guarded);
    for (size_t i = 0; i < MANY; i += 997)
        if (is_guarded(many[i]))
            assert_false(readable((char *)many[i] + 32));
    walk();
    for (size_t i = 0; i < MANY; i++)
        ExFreePool(many[i]);
    assert_int_equal(coverage().live, 0);
    walk();
}

static int run_many(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_hundred_thousand_at_once)};
    return cmocka_run_group_tests_name("special: many", tests, NULL, NULL);
}

/* --- the same on a kernel without guards in page tables: madvise refuses them ---------------------- */

static void refuse_guard_installation(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 102, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 22),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {RXP_COUNT(code), code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        print_message("skipped: no seccomp filter can be set\n");
        exit(77);
    }
}

static int run_mappings(void) {
    refuse_guard_installation();
    if (plat_guard_budget() == SIZE_MAX)
        return 1;
    return run_many();
}

static int run_mappings_sides(void) {
    refuse_guard_installation();
    return run_sides();
}

/* --- memory locked after the start, where guards cannot be installed ---------------------------------- */

static int run_locked(void) {
    ExFreePool(ExAllocatePoolWithTag(NonPagedPoolNx, 1, TAG));
    if (mlockall(MCL_CURRENT) != 0) {
        print_message("skipped: memory cannot be locked here\n");
        return 77;
    }
    int failed = run_sides();
    return failed != 0 || coverage().left_open != 0;
}

/* --- size: special=64, which is 33 to 48 bytes ------------------------------------------------------- */

static void only_the_sizes_of_the_class(void **state) {
    (void)state;
    for (unsigned round = 0; round < 200; round++)
        for (size_t size = 1; size < 300; size++) {
            void *p = ExAllocatePoolWithTag(PagedPool, size, OTHER);
            assert_int_equal(is_guarded(p), size > 32 && size <= 48);
            ExFreePoolWithTag(p, OTHER);
        }
    walk();
}

static int run_size(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_the_sizes_of_the_class)};
    return cmocka_run_group_tests_name("special: size", tests, NULL, NULL);
}

/* --- sample: special=1/1000 -------------------------------------------------------------------------- */

#define CALLS 3000000u

static void one_in_so_many(void **state) {
    (void)state;
    uint64_t every = options_get()->special_every, met = 0;
    for (unsigned i = 0; i < CALLS; i++) {
        void *p = ExAllocatePoolWithTag(PagedPool, 64, OTHER);
        met += is_guarded(p);
        ExFreePoolWithTag(p, OTHER);
    }
    struct special_coverage c = coverage();
    uint64_t due = c.guarded + c.no_time;
    print_message("1/%u: %u guarded, %u passed over\n", (unsigned)every, (unsigned)c.guarded,
                  (unsigned)c.no_time);
    /* A hundredth of the time, of which one takes 200 us at most: its allocation and its free. */
    uint64_t least = 1 + plat_thread_ms() / 100 * 1000 / 200;
    assert_int_equal(met, c.guarded);
    assert_in_range(due, CALLS / every * 3 / 4, CALLS / every * 5 / 4);
    assert_in_range(c.guarded, least < due / 2 ? least : due / 2, CALLS / every);
}

static int run_sample(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_in_so_many)};
    return cmocka_run_group_tests_name("special: sample", tests, NULL, NULL);
}

/* --- limit: special=*:limit=16M ------------------------------------------------------------------------ */

static void the_limit_holds(void **state) {
    (void)state;
    size_t count = 0;
    for (unsigned round = 0; round < 3; round++) {
        for (count = 0; count < MANY; count++) {
            many[count] = ExAllocatePoolWithTag(PagedPool, 3000, OTHER);
            if (many[count] == NULL)
                break;
        }
        assert_in_range(count, 1000, 16u << 20 >> 11);
        assert_true(engine_root()->live_bytes <= options_get()->limit);
        for (size_t i = 0; i < count; i++)
            ExFreePool(many[i]);
    }
    assert_true(coverage().no_memory > 0);
    walk();
}

static int run_limit(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_limit_holds)};
    return cmocka_run_group_tests_name("special: limit", tests, NULL, NULL);
}

/* --- threads: special=* ----------------------------------------------------------------------------------- */

#define THREADS 4u
#define ROUNDS 8000u

static _Atomic(void *) exchange[64];

static void *swap_blocks(void *seed) {
    uint64_t x = (uintptr_t)seed;
    for (unsigned i = 0; i < ROUNDS; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        size_t size = x >> 40 & 1023;
        unsigned char *p = ExAllocatePoolWithTag(PagedPool, size + 8, TAG);
        *(size_t *)(void *)p = size;
        memset(p + 8, (int)(size & 0xFF), size);
        unsigned char *old = atomic_exchange(&exchange[x >> 58], p);
        if (old == NULL)
            continue;
        size_t held;
        memcpy(&held, old, sizeof(held));
        for (size_t k = 0; k < held; k++)
            if (old[8 + k] != (held & 0xFF))
                abort();
        ExFreePoolWithTag(old, TAG);
    }
    return NULL;
}

static void threads_free_each_others(void **state) {
    (void)state;
    pthread_t thread[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, swap_blocks, (void *)(i + 1)), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    for (unsigned i = 0; i < RXP_COUNT(exchange); i++)
        if (exchange[i] != NULL)
            ExFreePool(exchange[i]);
    assert_int_equal(coverage().live, 0);
    walk();
}

static int run_threads(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_free_each_others)};
    return cmocka_run_group_tests_name("special: threads", tests, NULL, NULL);
}

/* --- faults: special=*:on_error=log ------------------------------------------------------------------------ */

static sigjmp_buf back;
static volatile uintptr_t faulted_at;

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)context;
    faulted_at = (uintptr_t)info->si_addr;
    siglongjmp(back, 1);
}

static void *no_memory(void) {
    void *p = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(p, MAP_FAILED);
    return p;
}

/* In the order of a program that has a handler of its own before it uses the pool; cmocka has put its over both. */
static void catch_again(void) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    ExFreePool(ExAllocatePoolWithTag(PagedPool, 1, TAG));
    assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
    assert_true(special_catch());
}

/* The handler was there before the pool: it gets what is not at a guard. */
static void other_faults_go_where_they_went(void **state) {
    (void)state;
    catch_again();
    volatile char *wild = no_memory();
    volatile char *guarded = ExAllocatePoolWithTag(PagedPool, 64, TAG);

    faulted_at = 0;
    if (sigsetjmp(back, 1) == 0)
        wild[5] = 1;
    assert_int_equal(faulted_at, (uintptr_t)wild + 5);
    faulted_at = 0;
    if (sigsetjmp(back, 1) == 0)
        guarded[64] = 1; /* told to go on */
    assert_int_equal(faulted_at, 0);
    ExFreePool((void *)guarded);
}

static void what_is_touched_after_its_free_is_not_used_again(void **state) {
    (void)state;
    catch_again();
    volatile char *p = ExAllocatePoolWithTag(PagedPool, 64, TAG);
    ExFreePool((void *)p);
    p[3] = 'x';
    assert_int_equal(p[3], 'x');
    for (unsigned i = 0; i < 20000; i++) { /* more than wait for their pages to be used again */
        volatile char *q = ExAllocatePoolWithTag(PagedPool, 64, TAG);
        assert_ptr_not_equal(q, p);
        ExFreePool((void *)q);
    }
    walk();
}

/* A guard that was opened for one access is there again when the block is freed. */
static void guards_come_back(void **state) {
    (void)state;
    catch_again();
    volatile char *p = ExAllocatePoolWithTag(PagedPool, 64, TAG);
    p[64] = 1;
    assert_true(readable(p + 64));
    ExFreePool((void *)p);
    assert_false(readable(p + 64));
}

/* An S-list may read an entry that was freed; that is no use after free of the program's. */
static void lists_of_guarded_entries(void **state) {
    (void)state;
    _Alignas(16) SLIST_HEADER head;
    InitializeSListHead(&head);
    for (unsigned i = 0; i < 100; i++)
        ExpInterlockedPushEntrySList(&head, ExAllocatePoolWithTag(NonPagedPoolNx, 32, TAG));
    PSLIST_ENTRY entry;
    unsigned count = 0;
    while ((entry = ExpInterlockedPopEntrySList(&head)) != NULL) {
        count++;
        ExFreePool(entry);
    }
    assert_int_equal(count, 100);
}

static int run_faults(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_faults_go_where_they_went),
        cmocka_unit_test(what_is_touched_after_its_free_is_not_used_again),
        cmocka_unit_test(guards_come_back),
        cmocka_unit_test(lists_of_guarded_entries),
    };
    return cmocka_run_group_tests_name("special: faults", tests, NULL, NULL);
}

/* --- the default action: special=* -------------------------------------------------------------------------- */

static void a_fault_that_is_nobodys_ends_the_process(void **state) {
    (void)state;
    int status;
    volatile char *wild = no_memory();
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        assert_true(special_catch());
        wild[0] = 1;
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static int run_default(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_fault_that_is_nobodys_ends_the_process)};
    return cmocka_run_group_tests_name("special: default", tests, NULL, NULL);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(void);
    } groups[] = {{"sides", run_sides},       {"many", run_many},
                  {"mappings", run_mappings}, {"mappings_sides", run_mappings_sides},
                  {"size", run_size},         {"sample", run_sample},
                  {"limit", run_limit},       {"threads", run_threads},
                  {"faults", run_faults},     {"default", run_default},
                  {"locked", run_locked}};
    for (size_t i = 0; argc == 2 && i < RXP_COUNT(groups); i++)
        if (strcmp(argv[1], groups[i].name) == 0)
            return groups[i].run();
    fprintf(stderr, "usage: test_special GROUP\n");
    return 2;
}
