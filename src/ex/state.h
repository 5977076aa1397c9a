/*
 * The engine's own state and its locks.
 *
 * Lock order, written once: late -> heaps -> accounts -> special -> ranges -> meta. A function that takes one says so; a
 * lock is never taken while a later one is held (engine_lock asserts it in debug builds).
 *
 *   late      the heap that threads past their destructors allocate from
 *   heaps     taking, leaving, adopting a heap; retiring an orphan; nothing in a steady state
 *   accounts  creating an account or a site
 *   special   areas of guarded blocks and the order in which freed ones are used again
 *   ranges    runs of slabs: taking and returning slabs and spans, purging
 *   meta      the engine's own memory
 */
#ifndef RXPOOL_EX_STATE_H
#define RXPOOL_EX_STATE_H

#include "ex/classes.h"
#include "plat/plat.h"

enum engine_lock_rank {
    LOCK_LATE,
    LOCK_HEAPS,
    LOCK_ACCOUNTS,
    LOCK_SPECIAL,
    LOCK_RANGES,
    LOCK_META,
    LOCK_COUNT
};

/* Read by every call: the first range's slabs, as far as they were ever used. */
struct engine_fast {
    uintptr_t slab_area;
    struct slab *slabs;
    struct slab_label *labels;
    _Atomic size_t size; /* bytes from slab_area; grows only, before a block beyond is handed out */
    const struct account *accounts;
    uint32_t *tags; /* of accounts, side by side: a free that names its tag reads no more of them */
};

extern struct engine_fast engine_first;
/* Of no range, and without a block: bins without a slab point to it. Nobody owns it. */
extern struct slab engine_no_slab;
extern struct slab_label engine_no_label;

void engine_lock(enum engine_lock_rank rank);
void engine_unlock(enum engine_lock_rank rank);
/* After fork, in the child: every lock is free again. */
void engine_locks_reset(void);

/* For fork: nobody starts the engine in between. It is taken before every other lock. */
void engine_start_hold(void);
void engine_start_go(void);
bool engine_is_started(void);
/* True once the first range stands; false where not even that can be had. Cheap when it stands. */
bool engine_ready(void);

#define STATE_LOAD(p) atomic_load_explicit(p, memory_order_relaxed)
#define STATE_STORE(p, v) atomic_store_explicit(p, v, memory_order_relaxed)

#endif
