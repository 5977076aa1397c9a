#include "ex/state.h"
#include "plat/thread_local.h"

static struct plat_lock locks[LOCK_COUNT];

/* Held ranks of this thread; the assertion is the lock order of state.h. */
#if RXPOOL_DEBUG
static THREAD_LOCAL_DEFINE(unsigned, held);

static void note_acquired(enum engine_lock_rank rank) {
    THREAD_LOCAL(held) |= 1u << rank;
}

static void note_released(enum engine_lock_rank rank) {
    THREAD_LOCAL(held) &= ~(1u << rank);
}

static void note_none(void) {
    THREAD_LOCAL(held) = 0;
}
#else
#define note_acquired(rank) ((void)0)
#define note_released(rank) ((void)0)
#define note_none() ((void)0)
#endif

void engine_lock(enum engine_lock_rank rank) {
#if RXPOOL_DEBUG
    rxp_check(THREAD_LOCAL(held) >> rank == 0);
#endif
    plat_lock_acquire(&locks[rank]);
    note_acquired(rank);
}

void engine_unlock(enum engine_lock_rank rank) {
    note_released(rank);
    plat_lock_release(&locks[rank]);
}

void engine_locks_reset(void) {
    for (unsigned i = 0; i < LOCK_COUNT; i++)
        locks[i] = (struct plat_lock){0};
    note_none();
}
