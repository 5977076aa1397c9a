/*
 * fork() in a multi-threaded program: the child gets the metadata as of a moment when no other thread held a lock, and goes
 * on alone. What other threads owned is sealed: their blocks may be freed, their slabs are never walked.
 */
#include "ex/fork.h"
#include "ex/heap.h"

static void fork_prepare(void) {
    for (unsigned rank = 0; rank < LOCK_COUNT; rank++)
        engine_lock(rank);
}

static void fork_parent(void) {
    for (unsigned rank = LOCK_COUNT; rank-- > 0;)
        engine_unlock(rank);
}

static void fork_child(void) {
    engine_locks_reset();
    heaps_after_fork();
}

void fork_register(void) {
    plat_at_fork(fork_prepare, fork_parent, fork_child);
}
