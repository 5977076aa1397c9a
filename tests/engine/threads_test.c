/* Heaps that change hands, blocks that are freed elsewhere, and fork. */
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine_test.h"

#define COUNT 3000u

static void *block[COUNT];

static unsigned heaps_made(void) {
    unsigned n = 0;
    uint64_t at = atomic_load(&engine_root()->heaps);
    for (; at != 0; at = ((const struct heap_public *)at)->next_heap)
        n++;
    return n;
}

static void run_thread(void *(*routine)(void *), void *argument) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, routine, argument), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void *allocate_some(void *argument) {
    uintptr_t first = (uintptr_t)argument;
    for (unsigned i = 0; i < 30; i++)
        block[first + i] = pool_alloc(test_key(i % 3), 16 + i * 40);
    return NULL;
}

static void a_heap_outlives_its_thread(void **state) {
    (void)state;
    for (uintptr_t i = 0; i < COUNT; i += 30)
        run_thread(allocate_some, (void *)i);
    /* One thread at a time: one heap beside the main thread's. */
    assert_true(heaps_made() <= 2);
    pool_walk();
    assert_int_equal(test_live_blocks(), COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        pool_free(block[i]);
    pool_walk();
    assert_int_equal(test_live_blocks(), 0);
}

static void *allocate_many(void *argument) {
    for (unsigned i = 0; i < COUNT; i++)
        block[i] = pool_alloc(test_key(20), (uintptr_t)argument);
    return NULL;
}

static void *free_many(void *argument) {
    (void)argument;
    for (unsigned i = 0; i < COUNT; i++)
        if (engine_free(block[i], test_tag(20)) != ENGINE_OK)
            abort();
    return NULL;
}

#define HALF (COUNT / 2)
static pthread_barrier_t both_have_heaps;

static void *allocate_half(void *argument) {
    uintptr_t first = (uintptr_t)argument;
    for (unsigned i = 0; i < HALF; i++)
        block[first + i] = pool_alloc(test_key(20), 256);
    pthread_barrier_wait(&both_have_heaps);
    return NULL;
}

static void *allocate_third(void *argument) {
    void **mine = argument;
    for (unsigned i = 0; i < COUNT / 3; i++)
        mine[i] = pool_alloc(test_key(20), 256);
    return NULL;
}

/* Two heaps are left, one of them all but emptied: a new thread goes on in that one, whichever was left last. */
static void a_new_thread_takes_the_heap_with_room(void **state) {
    static void *mine[COUNT / 3];
    struct engine_totals before, after;

    (void)state;
    for (unsigned roomy = 0; roomy < 2; roomy++) {
        pthread_t thread[2];
        pthread_barrier_init(&both_have_heaps, NULL, 2);
        for (uintptr_t i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, allocate_half, (void *)(i * HALF)),
                             0);
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(pthread_join(thread[i], NULL), 0);
        for (unsigned i = 0; i < HALF; i++)
            if (i % 10 != 0)
                pool_free(block[roomy * HALF + i]);
        engine_totals(&before);
        run_thread(allocate_third, mine);
        engine_totals(&after);
        assert_true(after.mapped_bytes <= before.mapped_bytes + SLAB_SIZE);
        for (unsigned i = 0; i < COUNT; i++)
            if (i / HALF != roomy || i % HALF % 10 == 0)
                pool_free(block[i]);
        for (unsigned i = 0; i < COUNT / 3; i++)
            pool_free(mine[i]);
        pthread_barrier_destroy(&both_have_heaps);
        pool_walk();
        assert_int_equal(test_live_blocks(), 0);
    }
}

/* Orphans that others empty go back to their range: nothing but a few current slabs is left in service. */
static void orphans_that_empty_are_retired(void **state) {
    struct engine_totals before, full, after;

    (void)state;
    engine_totals(&before);
    run_thread(allocate_many, (void *)(uintptr_t)256);
    engine_totals(&full);
    assert_true(full.mapped_bytes >= before.mapped_bytes + COUNT * 256);
    run_thread(free_many, NULL); /* takes the heap over: its own frees */
    run_thread(allocate_many, (void *)(uintptr_t)256);
    free_many(NULL); /* this thread: every free is a push into an orphan */
    engine_totals(&after);
    assert_true(after.mapped_bytes <= before.mapped_bytes + 4 * SLAB_SIZE);
    pool_walk();
}

static pthread_barrier_t turn;

static void *allocate_each_round(void *argument) {
    for (unsigned round = 0; round < 40; round++) {
        allocate_many(argument);
        pthread_barrier_wait(&turn);
        pthread_barrier_wait(&turn);
    }
    return NULL;
}

/* Full slabs that get only other threads' frees must be found again. */
static void allocate_here_and_free_there_does_not_grow(void **state) {
    struct engine_totals totals;
    uint64_t after_two = 0;
    pthread_t thread;

    (void)state;
    pthread_barrier_init(&turn, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, allocate_each_round, (void *)(uintptr_t)300), 0);
    for (unsigned round = 0; round < 40; round++) {
        pthread_barrier_wait(&turn);
        free_many(NULL);
        engine_totals(&totals);
        if (round == 1)
            after_two = totals.mapped_bytes;
        pthread_barrier_wait(&turn);
    }
    pthread_join(thread, NULL);
    assert_true(totals.mapped_bytes <= after_two + 4 * SLAB_SIZE);
    pool_walk();
    assert_int_equal(test_live_blocks(), 0);
}

#define LAST_SLABS 64u

static _Atomic unsigned left;

/* Leaves full slabs of two blocks with one of them live: its free by another thread both notifies and empties the slab. */
static void *leave_last_blocks(void *unused) {
    for (unsigned i = 0; i < 2 * LAST_SLABS; i++)
        block[i] = pool_alloc(test_key(21), SLAB_BLOCK_MAX);
    for (unsigned i = 0; i < LAST_SLABS; i++) {
        engine_free(block[2 * i], 0);
        block[i] = block[2 * i + 1];
    }
    atomic_fetch_add(&left, 1);
    return unused;
}

/* What is freed in the very moment in which its thread's slabs become orphans. */
static void last_blocks_go_as_their_thread_ends(void **state) {
    pthread_t thread;

    (void)state;
    for (unsigned round = 1; round <= (SANITIZED ? 500 : 3000); round++) {
        assert_int_equal(pthread_create(&thread, NULL, leave_last_blocks, NULL), 0);
        while (atomic_load(&left) != round)
            continue;
        for (volatile unsigned wait = round * 61 % 20000; wait > 0; wait--)
            continue; /* until some way into the thread's end */
        for (unsigned i = 0; i < LAST_SLABS; i++)
            assert_int_equal(engine_free(block[i], test_tag(21)), ENGINE_OK);
        pthread_join(thread, NULL);
        if (round % 100 == 0)
            pool_walk();
    }
    assert_int_equal(test_live_blocks(), 0);
}

/* --- fork -------------------------------------------------------------------------------------- */

static _Atomic bool stop;
static pthread_barrier_t running;
static void *shared_block[64];

static void *churn(void *argument) {
    void *mine[200] = {0};
    uint64_t seed = (uintptr_t)argument + 1;

    /* A child that is done with sooner leaves this one as many forks to be in the middle of. */
    (void)setpriority(PRIO_PROCESS, 0, 10);
    pthread_barrier_wait(&running);
    shared_block[(uintptr_t)argument] = pool_alloc(test_key(30), 100);
    while (!atomic_load(&stop)) {
        uint64_t r = test_random(&seed);
        void **place = &mine[r % 200];
        if (*place != NULL)
            engine_free(*place, 0);
        *place = *place != NULL ? NULL
                                : pool_alloc(test_key(30 + r / 256 % 50),
                                             1 + (r >> 20) % ((r >> 40) % 50 == 0 ? 100000 : 2000));
    }
    for (unsigned i = 0; i < 200; i++)
        if (mine[i] != NULL)
            engine_free(mine[i], 0);
    engine_free(shared_block[(uintptr_t)argument], 0);
    return NULL;
}

static void *child_thread(void *argument) {
    (void)argument;
    for (unsigned i = 0; i < 2000; i++)
        if (engine_free(pool_alloc(test_key(i % 7), 1 + i), 0) != ENGINE_OK)
            _exit(4);
    return NULL;
}

static void child(void) {
    pthread_t thread;

    for (unsigned i = 0; i < 3; i++) /* other heaps' blocks: pushes only */
        if (shared_block[i] != NULL && engine_free(shared_block[i], test_tag(30)) != ENGINE_OK)
            _exit(3);
    child_thread(NULL);
    for (unsigned i = 0; i < COUNT; i++)
        if ((block[i] = pool_alloc(test_key(i % 100), 1 + i * 7)) == NULL)
            _exit(5);
    for (unsigned i = 0; i < COUNT; i++)
        if (engine_free(block[i], 0) != ENGINE_OK)
            _exit(6);
    if (pthread_create(&thread, NULL, child_thread, NULL) != 0 || pthread_join(thread, NULL) != 0)
        _exit(7);
    engine_trim();
    _exit(0);
}

static void a_child_goes_on_alone(void **state) {
    pthread_t thread[3];

    (void)state;
#ifdef __SANITIZE_THREAD__
    print_message("skipped: TSan takes no new threads in a child of a program with threads\n");
    skip();
#endif
    pthread_barrier_init(&running, NULL, 4);
    for (uintptr_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, churn, (void *)i), 0);
    /* A starting thread allocates in libc and the sanitizer, whose locks a fork may leave taken. */
    pthread_barrier_wait(&running);
    for (unsigned i = 0; i < 60; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            alarm(60); /* a child that waits for a lock of a thread that is gone */
            child();
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail_msg("child %u ended with status 0x%x", i, (unsigned)status);
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    pool_walk();
    assert_int_equal(test_live_blocks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_heap_outlives_its_thread),
        cmocka_unit_test(a_new_thread_takes_the_heap_with_room),
        cmocka_unit_test(orphans_that_empty_are_retired),
        cmocka_unit_test(last_blocks_go_as_their_thread_ends),
        cmocka_unit_test(allocate_here_and_free_there_does_not_grow),
        cmocka_unit_test(a_child_goes_on_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
