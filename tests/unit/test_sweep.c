/* sweep=N: what the walk round all blocks comes by, and what it leaves alone. */
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define RXPOOL_CHECKED 1
#include <ntifs.h>
#include <ntrxdef.h>

#include "base/base.h"
#include "check/registry.h"
#include "child.h"

#define TAG 0x74736554u
#define SWEPT "detected by: sweep\n"

static void *allocate(POOL_TYPE type, SIZE_T size) {
    return RxAllocatePoolWithTag(type, size, TAG);
}

static void calls(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        RxFreePool(allocate(NonPagedPoolNx, 40));
}

static void expect(bool what) {
    if (!what)
        _exit(3);
}

/* --- how often ------------------------------------------------------------------------------- */

/* A thousand blocks, the last one damaged: all are come by in a thousand checks, and not in a few. */
static void last_of_a_thousand(void) {
    unsigned char *p = NULL;
    for (int i = 0; i < 1000; i++)
        p = allocate(NonPagedPoolNx, 40);
    p[40] ^= 1;
    calls(1000);
}

static void every_so_many_calls(void **state) {
    (void)state;
    assert_int_equal(run(last_of_a_thousand, ""), 0);
    assert_int_equal(run(last_of_a_thousand, "sweep=10"), 0);
    assert_true(WIFSIGNALED(run(last_of_a_thousand, "sweep=1")));
    assert_int_equal(times_said(SWEPT), 1);
}

/* --- what ------------------------------------------------------------------------------------ */

static void of_every_kind(void) {
    static unsigned char memory[1024] __attribute__((aligned(16)));
    unsigned char *p = allocate(PagedPool, 100), *q = allocate(NonPagedPoolNx, 8192);
    unsigned char *r = RxSignMemoryBlock(memory, 500, NonPagedPoolNx, TAG);
    unsigned char *s = allocate(NonPagedPoolNx, 300);
    RxFreePool(s);
    p[-5] ^= 1;
    q[-4000] ^= 1;
    r[500 - RX_POOL_SIGNED_OVERHEAD] ^= 1;
    s[299] ^= 1;
    calls(1000);
}

/* Under on_error=log each is reported once, however often the walk comes round. */
static void live_signed_and_held_blocks(void **state) {
    (void)state;
    assert_int_equal(run(of_every_kind, "on_error=log:sweep=2"), 0);
    assert_int_equal(times_said(SWEPT), 4);
    assert_int_equal(times_said("*** STOP"), 4);
    assert_int_equal(times_said("what: a block was written to after it was freed\n"), 1);
}

static void paged_at_dispatch(void) {
    unsigned char *p = allocate(PagedPool, 100);
    KIRQL old;
    p[100] ^= 1;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    calls(1000);
    KeLowerIrql(old);
    fputs("lowered\n", stderr);
    calls(1000);
}

static void paged_blocks_wait_for_a_low_irql(void **state) {
    (void)state;
    assert_true(WIFSIGNALED(run(paged_at_dispatch, "sweep=1")));
    assert_non_null(strstr(said, "lowered\n*** STOP"));
    assert_int_equal(times_said(SWEPT), 1);
}

static void inaccessible(void) {
    char *p = allocate(NonPagedPoolNx, 8192), *q = allocate(NonPagedPoolNx, 6000);
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(RxSignMemoryBlock(map, 4096, NonPagedPoolNx, TAG) != NULL);
    mprotect(p, 8192, PROT_NONE);
    mprotect(q, 6000, PROT_NONE); /* with the guard behind it, on the second page */
    munmap(map, 4096);
    calls(1000);
    mprotect(p, 8192, PROT_READ | PROT_WRITE);
    mprotect(q, 6000, PROT_READ | PROT_WRITE);
    RxFreePool(p);
    RxFreePool(q);
}

static void memory_that_cannot_be_read_is_passed_over(void **state) {
    (void)state;
    assert_int_equal(run(inaccessible, "sweep=1"), 0);
    assert_string_equal(said, "");
}

/* --- threads --------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = IF_TSAN(4000, 20000), SLOTS = 64 };
static void *_Atomic slots[SLOTS];

static void *trade(void *argument) {
    uint64_t random = (uintptr_t)argument * 77 + 5;
    for (int i = 0; i < ROUNDS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        SIZE_T size = 1 + (random >> 40) % 3000;
        unsigned char *p = allocate(random & 1 ? PagedPool : NonPagedPoolNx, size);
        memset(p, i, size);
        p = atomic_exchange(&slots[(random >> 33) % SLOTS], p);
        if (p != NULL)
            RxFreePool(p);
        if (i % (ROUNDS / 5) == 0)
            RxCheckAllMemoryBlocks();
    }
    return NULL;
}

static void trading(void) {
    pthread_t thread[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        expect(pthread_create(&thread[i], NULL, trade, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < SLOTS; i++)
        if (slots[i] != NULL)
            RxFreePool(slots[i]);
    expect(RxPoolUnload() == 0);
}

/* Blocks that others free, evict and drain at that moment; a small quarantine, so that they do. */
static void blocks_that_others_free(void **state) {
    (void)state;
    assert_int_equal(run(trading, "sweep=1"), 0);
    assert_string_equal(said, "");
    assert_int_equal(run(trading, "sweep=1:quarantine=256K"), 0);
    assert_string_equal(said, "");
}

static _Atomic bool over;

static void *churn(void *argument) {
    while (!atomic_load(&over))
        calls(1);
    return argument;
}

/* The child has no thread that would end the pins of its parent's. */
static void forking(void) {
    pthread_t thread[2];
    calls(1);
    for (int i = 0; i < 2; i++)
        expect(pthread_create(&thread[i], NULL, churn, NULL) == 0);
    for (int i = 0; i < 20; i++) {
        int status = -1;
        pid_t child = fork();
        if (child == 0) {
            calls(2000);
            _exit(RxCheckAllMemoryBlocks() != 0);
        }
        expect(waitpid(child, &status, 0) == child && status == 0);
    }
    atomic_store(&over, true);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
}

static void forked_children(void **state) {
    (void)state;
    assert_int_equal(run(forking, "sweep=1"), 0);
    assert_string_equal(said, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_so_many_calls),
        cmocka_unit_test(live_signed_and_held_blocks),
        cmocka_unit_test(paged_blocks_wait_for_a_low_irql),
        cmocka_unit_test(memory_that_cannot_be_read_is_passed_over),
        cmocka_unit_test(blocks_that_others_free),
        cmocka_unit_test(forked_children),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
