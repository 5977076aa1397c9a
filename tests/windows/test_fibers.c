/*
 * The pool on fibers: what it keeps for a thread is the thread's, whichever fiber runs on it, and is handed on once,
 * when the thread ends.
 */
#include <ntifs.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <rxpool/stats.h>

#include "fibers.h"

#define TAG 'rbiF' /* "Fibr" */
#define FIBERS 4
#define BLOCKS 300
#define THREADS 100

static struct {
    void *home, *fiber[FIBERS];
    void *block[BLOCKS];
} scene;

static struct rxpool_stats_row row_of_tag(uint32_t *heaps) {
    struct rxpool_stats *stats;
    const struct rxpool_stats_row *row;
    struct rxpool_stats_row found = {0};

    assert_int_equal(rxpool_stats_open_self(&stats, NULL), RXPOOL_STATS_OK);
    assert_int_equal(rxpool_stats_read(stats, NULL), RXPOOL_STATS_OK);
    for (uint32_t i = 0; (row = rxpool_stats_row(stats, i)) != NULL; i++)
        if (row->tag == TAG)
            found = *row;
    *heaps = rxpool_stats_summary(stats)->heaps;
    rxpool_stats_close(stats);
    return found;
}

/* Frees what the fiber in front of it allocated, and goes on to the next. */
static void take_turns(void *argument) {
    size_t mine = (size_t)(void **)argument - (size_t)scene.fiber;

    mine /= sizeof(scene.fiber[0]);
    for (size_t i = mine; i < BLOCKS; i += FIBERS) {
        if (i > 0)
            ExFreePoolWithTag(scene.block[i - 1], TAG);
        scene.block[i] = ExAllocatePoolWithTag(PagedPool, 16 + i * 8, TAG);
        fibers_go(i + 1 < BLOCKS ? scene.fiber[(i + 1) % FIBERS] : scene.home);
    }
    fibers_go(scene.home);
}

/* The thread's fibers, in turns; it ends on one that is not its first. */
static void on_fibers(void *argument) {
    (void)argument;
    scene.home = fibers_begin();
    for (size_t i = 0; i < FIBERS; i++)
        scene.fiber[i] = fibers_make(take_turns, &scene.fiber[i]);
    fibers_go(scene.fiber[0]);
    ExFreePoolWithTag(scene.block[BLOCKS - 1], TAG);
    for (size_t i = 0; i < FIBERS; i++)
        fibers_delete(scene.fiber[i]);
}

static void blocks_go_from_fiber_to_fiber(void **state) {
    (void)state;
    uint32_t heaps;
    struct rxpool_stats_row before = row_of_tag(&heaps);

    assert_true(fibers_on_thread(on_fibers, NULL));
    struct rxpool_stats_row after = row_of_tag(&heaps);
    assert_int_equal(after.allocs - before.allocs, BLOCKS);
    assert_int_equal(after.frees - before.frees, BLOCKS);
    assert_int_equal(after.bytes, 0);
}

static void end_here(void *argument) {
    scene.block[0] = ExAllocatePoolWithTag(PagedPool, 100, TAG);
    ExFreePoolWithTag(scene.block[1], TAG);
    (void)argument;
    fibers_end_thread();
}

/* Allocates on one fiber, and ends on another, where the first one's block is freed. */
static void ends_on_a_fiber(void *argument) {
    (void)argument;
    scene.home = fibers_begin();
    scene.block[1] = ExAllocatePoolWithTag(PagedPool, 100, TAG);
    fibers_go(fibers_make(end_here, NULL));
}

static void a_thread_ends_once_on_whatever_fiber(void **state) {
    (void)state;
    uint32_t heaps, more;

    assert_true(fibers_on_thread(ends_on_a_fiber, NULL));
    ExFreePoolWithTag(scene.block[0], TAG);
    struct rxpool_stats_row before = row_of_tag(&heaps), after;
    for (int i = 0; i < THREADS; i++) {
        assert_true(fibers_on_thread(ends_on_a_fiber, NULL));
        ExFreePoolWithTag(scene.block[0], TAG);
    }
    after = row_of_tag(&more);
    assert_int_equal(after.allocs - before.allocs, 2 * THREADS);
    assert_int_equal(after.diff, 0);
    assert_int_equal(more, heaps); /* the next thread has the heap of the one before */
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_go_from_fiber_to_fiber),
        cmocka_unit_test(a_thread_ends_once_on_whatever_fiber),
    };

    ExFreePool(ExAllocatePoolWithTag(PagedPool, 1, 'nepO'));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
