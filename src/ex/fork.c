/*
 * fork() in a multi-threaded program: the child gets the metadata as of a moment when no other thread held a lock, and goes
 * on alone. What other threads owned is sealed: their blocks may be freed, their slabs are never walked.
 */
#include "ex/fork.h"
#include "ex/heap.h"
#include "ex/span.h"

/* A start that is under way comes to its end first: no child could end it. */
static void fork_prepare(void) {
    engine_start_hold();
    for (unsigned rank = 0; rank < LOCK_COUNT; rank++)
        engine_lock(rank);
}

static void fork_parent(void) {
    for (unsigned rank = LOCK_COUNT; rank-- > 0;)
        engine_unlock(rank);
    engine_start_go();
}

static void fork_child(void) {
    engine_locks_reset();
    span_after_fork();
    if (engine_is_started())
        heaps_after_fork();
    engine_start_go();
}

/* A fork that has begun calls none that is registered later: so at load, or at the latest with the first call. */
RXP_AT_LOAD void fork_register(void) {
    static bool registered;
    if (!registered) {
        registered = true;
        plat_at_fork(fork_prepare, fork_parent, fork_child);
    }
}
