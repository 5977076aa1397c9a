/* The life of checked blocks: quarantine, threads, leaks, on_error=log, short memory. */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#define RXPOOL_CHECKED 1
#include <ntifs.h>
#include <ntrxdef.h>

#include "base/backend.h"
#include "base/base.h"
#include "base/options.h"
#include "check/check.h"
#include "held.h"

#define TAG 0x74736554u
#define RECORD 64 /* bytes of one */

static void *allocate(ULONG size) {
    return _RxAllocatePoolWithTag(PagedPool, size, TAG, (PSZ)__FILE__, __LINE__);
}

static void release(void *p) {
    _RxFreePool(p, (PSZ)__FILE__, __LINE__);
}

/* A freed block is not handed out again while it is held. */
static void freed_blocks_wait(void **state) {
    (void)state;
    void *p = allocate(64);
    release(p);
    for (int i = 0; i < 100; i++) {
        void *q = allocate(64);
        assert_ptr_not_equal(q, p);
        release(q);
    }
}

static void unload_counts_what_is_live(void **state) {
    (void)state;
    void *p[10];
    assert_int_equal(RxPoolUnload(), 0);
    for (int i = 0; i < 10; i++)
        p[i] = allocate(100 + i);
    assert_int_equal(RxPoolUnload(), 10);
    for (int i = 0; i < 10; i++)
        release(p[i]);
    assert_int_equal(RxPoolUnload(), 0);
}

/* Under on_error=log the damaged block is set aside: never handed out, never complained of again. */
static void damage_is_set_aside(void **state) {
    (void)state;
    unsigned char *p = allocate(64);
    p[64] ^= 1;
    release(p);
    struct record_info info;
    assert_true(registry_find((uintptr_t)p, &info));
    assert_int_equal(info.state, RECORD_SET_ASIDE);
    assert_int_equal(_RxCheckMemoryBlock(p, NULL, 0), FALSE);
    assert_int_equal(RxPoolUnload(), 0);
    release(p); /* a repeated free, reported and refused */
    for (int i = 0; i < 1000; i++)
        assert_ptr_not_equal(allocate(64), p);
}

static void late_writes_are_set_aside(void **state) {
    (void)state;
    unsigned char *p = allocate(48);
    release(p);
    p[3] = 1;
    RxPoolUnload();
    struct record_info info;
    assert_true(registry_find((uintptr_t)p, &info));
    assert_int_equal(info.state, RECORD_SET_ASIDE);
}

static void sweep_counts_damage(void **state) {
    (void)state;
    unsigned char *p = allocate(64), *q = allocate(64);
    assert_int_equal(RxCheckAllMemoryBlocks(), 0);
    p[64] ^= 1;
    q[-1] ^= 1;
    assert_int_equal(RxCheckAllMemoryBlocks(), 2);
    p[64] ^= 1;
    q[-1] ^= 1;
    assert_int_equal(RxCheckAllMemoryBlocks(), 0);
    release(p);
    release(q);
}

static void foreign_blocks_pass_and_count(void **state) {
    (void)state;
    uint64_t before = check_foreign_frees();
    release(ExAllocatePoolWithTag(PagedPool, 100, TAG));
    assert_int_equal(check_foreign_frees() - before, 1);
    assert_int_equal(RxCheckAllMemoryBlocks(), 0);
}

static void others_blocks_may_go_either_way(void **state) {
    (void)state;
    void *p = _RxAllocatePoolForOthers(PagedPool, 100, TAG, NULL, 0);
    assert_non_null(p);
    release(p);
    p = _RxAllocatePoolForOthers(NonPagedPool, 5000, TAG, NULL, 0);
    ExFreePool(p);
    /* Nobody says that it is gone. Where some thread cannot be stopped it counts as there until its address is used again. */
    void *again = _RxAllocatePoolForOthers(NonPagedPool, 5000, TAG, NULL, 0);
    assert_ptr_equal(again, p);
    release(again);
}

static void add_held(void *argument, uint32_t id, const struct record_info *info) {
    (void)id;
    if (info->state == RECORD_HELD)
        *(uint64_t *)argument += info->size + RECORD;
}

static void assert_held_is_bounded(void) {
    uint64_t held = 0;
    registry_each_record(add_held, &held);
    assert_in_range(held, 1, options_get()->quarantine);
}

/* Their records are counted with them; large blocks that come when the queue begins with many small ones make them all leave. */
static void held_bytes_are_bounded(void **state) {
    enum { SMALL = 20000, LARGE = 1000 };
    static void *small[SMALL];
    (void)state;
    for (int i = 0; i < SMALL; i++)
        small[i] = allocate(64);
    for (int i = 0; i < SMALL; i++)
        release(small[i]);
    assert_held_is_bounded();
    for (int i = 0; i < LARGE; i++) {
        release(allocate(4000));
        if (i % 50 == 0)
            assert_held_is_bounded();
    }
}

/* Whatever leaves for whatever comes, of other sizes, tags and types too: each account knows what is held of it. */
static void held_blocks_are_counted(void **state) {
    enum { BLOCKS = 40000, LIVE = 64 };
    void *live[LIVE] = {NULL};
    uint32_t random = 1;
    (void)state;
    for (int i = 0; i < BLOCKS; i++) {
        random = random * 1664525u + 1013904223u;
        uint32_t alike = random >> 31, tag = TAG + (alike ? 0 : (random >> 29 & 3) << 8);
        void **p = &live[random >> 20 & (LIVE - 1)];
        if (*p != NULL)
            release(*p);
        *p = _RxAllocatePoolWithTag(random >> 28 & 1 ? PagedPool : NonPagedPoolNx,
                                    alike ? 64 : 1 + (random >> 8) % 1100, tag, (PSZ)__FILE__,
                                    __LINE__);
        assert_non_null(*p);
    }
    assert_held_is_counted();
    for (int i = 0; i < LIVE; i++)
        release(live[i]);
}

/* A plain block right behind a checked one of few bytes: both are known, and freed. */
static void others_blocks_beside_small_ones(void **state) {
    enum { PAIRS = 500 };
    static void *small[PAIRS], *others[PAIRS];
    struct record_info info;
    (void)state;
    for (int i = 0; i < PAIRS; i++) {
        small[i] = allocate(1 + i % 15);
        others[i] = _RxAllocatePoolForOthers(PagedPool, 33 + i % 31, TAG, NULL, 0);
    }
    for (int i = 0; i < PAIRS; i++) {
        assert_int_equal(_RxCheckMemoryBlock(small[i], NULL, 0), TRUE);
        assert_true(registry_find((uintptr_t)others[i], &info));
        assert_int_equal(info.kind, RECORD_OTHERS);
        release(small[i]);
        release(others[i]);
        assert_int_equal(_RxCheckMemoryBlock(small[i], NULL, 0), FALSE);
    }
    assert_int_equal(RxPoolUnload(), 0);
}

static void sizes_that_were_cut_fail(void **state) {
    (void)state;
    assert_null(RxAllocatePoolWithTag(PagedPool, (SIZE_T)1 << 32, TAG));
    assert_null(RxAllocatePoolWithTag(PagedPool, SIZE_MAX, TAG));
    assert_null(allocate(MAXULONG));
}

static void bare_names_are_functions(void **state) {
    (void)state;
    PALLOCATE_FUNCTION get = (RxAllocatePoolWithTag);
    PFREE_FUNCTION put = (RxFreePool);
    void *p = get(NonPagedPool, 64, TAG);
    assert_int_equal(_RxCheckMemoryBlock(p, NULL, 0), TRUE);
    put(p);
    assert_int_equal(_RxCheckMemoryBlock(p, NULL, 0), FALSE);
}

/* --- what leaves -------------------------------------------------------------------------------- */

struct kind {
    ULONG type, size, tag;
};

static const RX_POOL_HEADER *header_of(const void *block) {
    return (const RX_POOL_HEADER *)block - 1;
}

static void is_as_asked(const unsigned char *p, const struct kind *k) {
    assert_int_equal(header_of(p)->Type, k->type);
    assert_int_equal(header_of(p)->Size, k->size);
    assert_int_equal(header_of(p)->Tag, k->tag);
    assert_int_equal(_RxCheckMemoryBlock((PVOID)p, NULL, 0), TRUE);
    for (ULONG i = 0; i < k->size; i++)
        assert_int_equal(p[i], 0xC5);
}

/*
 * The block that leaves the quarantine goes to whoever asks next for one of its kind, and to nobody else: kinds that share
 * a size class, a tag or a type take turns, each in loops of its own.
 */
static void what_leaves_goes_to_its_kind(void **state) {
    (void)state;
    static const struct kind kinds[] = {
        {NonPagedPoolNx, 64, TAG}, {NonPagedPoolNx, 63, TAG},     {PagedPool, 64, TAG},
        {NonPagedPool, 64, TAG},   {NonPagedPoolNx, 64, TAG + 1}, {NonPagedPoolNx, 200, TAG},
    };
    uint64_t random = 9;
    for (int i = 0; i < 60000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        const struct kind *k = &kinds[(random >> 40) % RXP_COUNT(kinds)];
        int turns = i % 100 == 0 ? 40 : 1 + (int)(random >> 60) % 3;
        for (int turn = 0; turn < turns; turn++) {
            unsigned char *p = _RxAllocatePoolWithTag(k->type, k->size, k->tag, NULL, 0);
            is_as_asked(p, k);
            memset(p, turn, k->size);
            release(p);
        }
    }
    assert_held_is_counted();
    assert_int_equal(RxPoolUnload(), 0);
}

/* --- threads --------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = IF_TSAN(6000, 30000), SLOTS = 64 };

static void *_Atomic slots[SLOTS];

/* Blocks change hands: most are freed by a thread that did not allocate them; all are written in full. */
static void *trade(void *argument) {
    uint64_t random = (uintptr_t)argument * 77 + 5;
    for (int i = 0; i < ROUNDS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        ULONG size = 1 + (ULONG)(random >> 40) % 3000;
        unsigned char *p = allocate(size);
        memset(p, (int)i, size);
        p = atomic_exchange(&slots[(random >> 33) % SLOTS], p);
        if (p != NULL) {
            if (_RxCheckMemoryBlock(p, NULL, 0) != TRUE)
                return p;
            release(p);
        }
        if (i % (ROUNDS / 6) == 0)
            RxCheckAllMemoryBlocks();
    }
    return NULL;
}

static void threads_trade_blocks(void **state) {
    (void)state;
    pthread_t thread[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, trade, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(thread[i], &wrong);
        assert_null(wrong);
    }
    for (int i = 0; i < SLOTS; i++) {
        if (slots[i] != NULL)
            release(slots[i]);
    }
    assert_int_equal(RxPoolUnload(), 0);
}

/* --- fork ------------------------------------------------------------------------------------ */

static _Atomic bool over;

static void *churn(void *argument) {
    while (!over) {
        void *p = allocate(100);
        _RxCheckMemoryBlock(p, NULL, 0);
        release(p);
    }
    return argument;
}

/* The child finds blocks half filled and pinned by threads that it does not have. */
static void a_forked_child_goes_on(void **state) {
    (void)state;
    pthread_t thread[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, churn, NULL), 0);
    for (int i = 0; i < 10; i++) {
        int status = -1;
        pid_t child = fork();
        if (child == 0) {
            for (int j = 0; j < 2000; j++)
                release(allocate(100));
            _exit(RxCheckAllMemoryBlocks() != 0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    over = true;
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
}

int main(void) {
    /* Violations are provoked: their reports go to a file that nobody reads. */
    setenv("RXPOOL_OPTIONS", "on_error=log:report=/dev/null", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freed_blocks_wait),
        cmocka_unit_test(unload_counts_what_is_live),
        cmocka_unit_test(foreign_blocks_pass_and_count),
        cmocka_unit_test(others_blocks_may_go_either_way),
        cmocka_unit_test(held_bytes_are_bounded),
        cmocka_unit_test(held_blocks_are_counted),
        cmocka_unit_test(others_blocks_beside_small_ones),
        cmocka_unit_test(sizes_that_were_cut_fail),
        cmocka_unit_test(bare_names_are_functions),
        cmocka_unit_test(sweep_counts_damage),
        cmocka_unit_test(late_writes_are_set_aside),
        cmocka_unit_test(what_leaves_goes_to_its_kind),
        cmocka_unit_test(threads_trade_blocks),
        cmocka_unit_test(a_forked_child_goes_on),
        cmocka_unit_test(damage_is_set_aside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
