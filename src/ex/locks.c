#include "ex/state.h"

static struct plat_lock locks[LOCK_COUNT];

/* Held ranks of this thread; the assertion is the lock order of state.h. */
#if RXPOOL_DEBUG
static __thread unsigned held __attribute__((tls_model("initial-exec")));
#define LOCK_HELD(change) (held change)
#else
#define LOCK_HELD(change) ((void)0)
#endif

void engine_lock(enum engine_lock_rank rank) {
#if RXPOOL_DEBUG
    rxp_check(held >> rank == 0);
#endif
    plat_lock_acquire(&locks[rank]);
    LOCK_HELD(|= 1u << rank);
}

void engine_unlock(enum engine_lock_rank rank) {
    LOCK_HELD(&= ~(1u << rank));
    plat_lock_release(&locks[rank]);
}

void engine_locks_reset(void) {
    for (unsigned i = 0; i < LOCK_COUNT; i++)
        locks[i] = (struct plat_lock){0};
    LOCK_HELD(= 0);
}
