/*
 * Checks of blocks that nobody frees just now: on demand (check.h), at exit, and under sweep=N a little at
 * a time.
 *
 * sweep=N: every N calls of a thread, the next block of a walk round all blocks is checked, live ones
 * and those in the quarantine. So damage to a block that is never freed is seen, and the sight of a
 * whole one narrows down when later damage came about. A block that another thread is freeing, a paged
 * one at DISPATCH_LEVEL and one whose memory cannot be read are passed over.
 */
#ifndef RXPOOL_CHECK_SWEEP_H
#define RXPOOL_CHECK_SWEEP_H

#include <stdatomic.h>

#include "check/report.h"

extern RXP_HIDDEN _Atomic bool sweep_is_on;

/* Reads the option. Once, before the first block. */
void sweep_start(void);
/* Counts a call, and checks a block when it is time. With nothing locked or pinned. */
void sweep_count(const struct caller *c);

RXP_INLINE void sweep_call(const struct caller *c) {
    if (RXP_UNLIKELY(atomic_load_explicit(&sweep_is_on, memory_order_relaxed)))
        sweep_count(c);
}

/*
 * Checks every live block of a heap (`heap`) or of the pool, where nothing will look at it any more:
 * damage is what it would be at a free, and the block is set aside.
 */
void sweep_at_exit(bool heap, const struct caller *c);

#endif
