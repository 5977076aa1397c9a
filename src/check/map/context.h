/*
 * What a thread needs of the registry for itself: fresh records, sequence numbers, its part of the
 * quarantine. A context belongs to one thread until that ends, then to the next one that starts.
 *
 * Its lock is biased: the owner takes it by a store to `busy` and a look at `wanted`, without an atomic
 * operation; who wants another thread's context (unload, exit, fork, a quarantine that must be shared
 * out anew: all rare) stores `wanted`, makes every thread of the process pass a barrier
 * (plat_barrier), and waits until `busy` is 0:
 *
 *   owner    busy = 1; compiler barrier;  wanted?        other    wanted = 1; plat_barrier; busy?
 *
 * One of the two sees the other. Where there is no such barrier, the owner's store is an exchange.
 * Inside, no call is made that could allocate, report or wait: tens of instructions.
 *
 * A thread past its exit hook, and a signal handler that interrupts its own thread inside, use the
 * `late` context, whose lock is a common one.
 *
 * Lock order: contexts (taken first by whoever wants others') -> late -> records, index.
 */
#ifndef RXPOOL_CHECK_MAP_CONTEXT_H
#define RXPOOL_CHECK_MAP_CONTEXT_H

#include "base/backend.h"
#include "check/map/record.h"
#include "check/sites.h"
#include "plat/plat.h"
#include "plat/thread_local.h"

struct queue {
    uint32_t head, tail; /* records; 0 none */
    uint64_t bytes;
};

/*
 * The block that left the quarantine last, for one of its kind: a hint, which may be out of date, or of two blocks where
 * a signal came between.
 */
struct spare {
    uint32_t number; /* of its record; 0: there is none */
    struct backend_place place;
};

struct context {
    RXP_ALIGNED(64) _Atomic uint32_t busy;
    _Atomic uint32_t wanted;
    uint32_t thread; /* plat_thread_id of the owner */
    uint32_t sequence, sequence_end;
    uint32_t fresh, fresh_end; /* records never used */
    uint32_t unused;           /* list of records */
    struct queue held[2];      /* nonpaged, paged */
    uint64_t allowance;        /* this context's part of quarantine= */
    int64_t room;              /* = allowance - bytes held; negative where some are to leave */
    uint32_t
        patience; /* frees beyond the room until it asks for more of it again, and this; 1 or more */
    uint32_t clock;          /* plat_clock_ms at the owner's last allocation, or later */
    uint32_t clock_uses;     /* frees that may still take it for the time, and one */
    uint64_t calls;          /* of the owner, since the last that had a sweep to do */
    _Atomic uint32_t pinned; /* the record that the owner has BUSY, 0 none */
    bool owned;
    struct context *next;   /* of all */
    uint64_t latest;        /* the block that was entered last, a hint as well */
    uint32_t latest_number; /* of its record */
    struct spare spare;
    /* Where the owner allocated and freed a block of the pool last; never NULL. */
    const struct known_site *allocated_at, *freed_at;
};

/* The calling thread's; NULL before its first call. */
THREAD_LOCAL_DECLARE(struct context *, context_of_thread);
#define context_mine THREAD_LOCAL(context_of_thread)

/* The calling thread's context, entered; NULL when there is no memory for one. */
struct context *context_enter_slow(void);
void context_leave_slow(struct context *x);

/* Whether owners must exchange: no plat_barrier here. */
extern RXP_HIDDEN bool contexts_fenced;
extern RXP_HIDDEN struct context *contexts_late;

/*
 * Whether its owner may enter a context without more ado, where owners need not exchange: then it is its own, and not
 * the late one.
 */
RXP_INLINE bool context_is_easy(const struct context *x) {
    return x != NULL && atomic_load_explicit(&x->busy, memory_order_relaxed) == 0;
}

/* Enters such a context; false when another thread wants it. */
RXP_INLINE bool context_enter_easy(struct context *x) {
    atomic_store_explicit(&x->busy, 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst); /* pairs with plat_barrier in contexts_lock */
    if (RXP_LIKELY(atomic_load_explicit(&x->wanted, memory_order_acquire) == 0))
        return true;
    atomic_store_explicit(&x->busy, 0, memory_order_release);
    return false;
}

RXP_INLINE void context_leave_easy(struct context *x) {
    atomic_store_explicit(&x->busy, 0, memory_order_release);
}

#define CONTEXT_CLOCK_USES                                                                         \
    17u /* where no allocation looks at the clock: 16 frees and the next one */

RXP_INLINE void context_set_clock(struct context *x, uint32_t time) {
    x->clock = time;
    x->clock_uses = CONTEXT_CLOCK_USES;
}

RXP_INLINE struct context *context_enter(void) {
    struct context *x = context_mine;
    return RXP_LIKELY(context_is_easy(x) && !contexts_fenced) && RXP_LIKELY(context_enter_easy(x))
               ? x
               : context_enter_slow();
}

RXP_INLINE void context_leave(struct context *x) {
    if (RXP_UNLIKELY(x == contexts_late))
        context_leave_slow(x);
    else
        context_leave_easy(x);
}

/* The calling thread's pin, so that a fork can end it; nothing in a thread without a context. */
void context_pin(uint32_t record);

/* Keeps every context's owner out until contexts_unlock; not to be called inside a context. */
void contexts_lock(void);
void contexts_unlock(void);
/* All contexts, the late one among them: the first, and on by next. With contexts_lock. */
struct context *contexts_first(void);

/* Once, before the first context_enter: no fork happens meanwhile. */
void contexts_start(void);
/* In the child: every context but the caller's is nobody's; calls unpin for what their owners had pinned. */
void contexts_fork_child(void (*unpin)(uint32_t record));

#endif
