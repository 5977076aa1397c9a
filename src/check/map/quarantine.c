/*
 * The quarantine in user mode: each context has a queue for nonpaged and one for paged blocks, and an
 * allowance of bytes. Allowances come in steps out of quarantine= as a whole; a context that gets none
 * while it has less than its share takes a step from the one that has the most.
 *
 *   sum of allowances + unallotted = quarantine=
 */
#include "check/quarantine.h"

#include "base/options.h"
#include "check/map/index.h"
#include "check/map/lists.h"
#include "check/map/queue.h"
#include "check/sweep.h"

#define STEPS 256u     /* of quarantine= */
#define PATIENCE 4096u /* frees between two vain tries to get a step from another context */

static struct {
    _Atomic uint64_t allotted;
    _Atomic uint32_t holders; /* contexts with an allowance */
} quarantine;

/* --- queues: inside a context ------------------------------------------------------------------ */

/*
 * Takes the oldest block off the queue, as a ghost; false when there is none, or a sweep looks at it. Only a
 * sweep moves the state of what is queued, from another thread.
 */
static RXP_NOINLINE bool pop(struct context *x, struct queue *q, struct record_info *out) {
    while (q->head != 0) {
        uint32_t number = q->head;
        struct record *r = record_at(number);
        uint64_t state = record_get(r, RECORD_STATE);
        record_read(r, state, out);
        bool leaves = out->state == RECORD_HELD;
        if (leaves ? !record_move(r, &state, RECORD_GHOST) : out->state == RECORD_SWEPT)
            return false;
        queue_unlink(q, r);
        queue_count(x, out, -1);
        if (leaves)
            return true;
        if (out->state == RECORD_DEAD)
            lists_recycle(x, number);
    }
    return false;
}

/* The same inline for the common case: the oldest is held, and no sweep is going on. */
RXP_INLINE bool pop_held(struct context *x, struct queue *q, struct record_info *out) {
    struct record *r = record_at(q->head);
    uint64_t state = record_get(r, RECORD_STATE);
    if (RXP_UNLIKELY(q->head == 0 || record_state(state) != RECORD_HELD ||
                     atomic_load_explicit(&sweep_is_on, memory_order_relaxed)))
        return pop(x, q, out);
    record_read(r, state, out);
    record_put(r, RECORD_STATE, record_with(state, RECORD_GHOST));
    queue_unlink(q, r);
    queue_count(x, out, -1);
    return true;
}

/* --- allowances -------------------------------------------------------------------------------- */

static uint64_t step_bytes(void) {
    return options_get()->quarantine / STEPS;
}

static void give_step(struct context *x, uint64_t step) {
    if (x->allowance == 0)
        atomic_fetch_add_explicit(&quarantine.holders, 1, memory_order_relaxed);
    x->allowance += step;
    x->room += (int64_t)step;
}

/* Inside the context: one step more, while there are any. */
static bool allot(struct context *x, uint64_t step) {
    uint64_t before = atomic_load_explicit(&quarantine.allotted, memory_order_relaxed);
    do {
        if (before + step > options_get()->quarantine)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&quarantine.allotted, &before, before + step,
                                                    memory_order_relaxed, memory_order_relaxed));
    give_step(x, step);
    return true;
}

/* Whether the context has so little that others must give some up. */
static bool is_short(const struct context *x, uint64_t step) {
    uint32_t holders = atomic_load_explicit(&quarantine.holders, memory_order_relaxed);
    return x->allowance + step <= options_get()->quarantine / (holders + (x->allowance == 0));
}

/* One step from the context that has the most; false when that has no more than this one will. */
static bool share_out(struct context *mine, uint64_t step) {
    struct context *most = mine;
    contexts_lock();
    for (struct context *x = contexts_first(); x != NULL; x = x->next) {
        if (x->allowance > most->allowance)
            most = x;
    }
    bool moved = most->allowance >= mine->allowance + 2 * step;
    if (moved) {
        mine->patience = 1;
        most->allowance -= step;
        most->room -= (int64_t)step;
        give_step(mine, step);
    }
    contexts_unlock();
    return moved;
}

/* There is no room, and it is time to ask for some: true when others must be made to give some up. */
static RXP_NOINLINE bool ask_for_room(struct context *x) {
    uint64_t step = step_bytes();
    if (allot(x, step))
        return false;
    x->patience = PATIENCE;
    return is_short(x, step);
}

/* Lets blocks leave while the context holds more than its allowance. */
RXP_INLINE void make_room(struct context *x, struct take *t) {
    do {
        if (!pop_held(x, queue_of_victims(x, t->irql), &t->victim[t->victims]))
            return;
        t->victims++;
    } while (RXP_UNLIKELY(x->room < 0) && t->victims < QUARANTINE_VICTIMS);
    t->more = x->room < 0;
}

/* --- the life of a block after its free ---------------------------------------------------------- */

static enum take_verdict take_unknown(struct take *t, const struct record *r) {
    record_read(r, record_get(r, RECORD_STATE), &t->info);
    return t->info.block == t->block && t->info.state != RECORD_NONE ? TAKE_NOT_LIVE : TAKE_UNKNOWN;
}

/* False: another thread moved the record first, or reads the block, which must stay until that is done. */
RXP_INLINE bool try_take(struct take *t, struct record *r, enum take_verdict *verdict) {
    uint64_t state = record_get(r, RECORD_STATE);
    record_read(r, state, &t->info);
    *verdict = RXP_LIKELY(take_is_common(&t->info, t)) ? TAKE_HELD : take_judge(&t->info, t);
    if (RXP_UNLIKELY(*verdict == TAKE_NOT_LIVE)) {
        if (t->info.state == RECORD_BUSY)
            return false;
        *verdict = take_unknown(t, r);
        return true;
    }
    if (RXP_UNLIKELY(*verdict != TAKE_HELD && *verdict != TAKE_DIRECT))
        return true;
    if (RXP_UNLIKELY(
            !record_move(r, &state, *verdict == TAKE_HELD ? RECORD_FILLING : RECORD_GHOST)))
        return false;
    record_put(r, RECORD_FREE, record_pair(t->site, plat_thread_id()));
    return true;
}

static RXP_NOINLINE enum take_verdict take_at_last(struct take *t, struct record *r) {
    enum take_verdict verdict;
    do {
        plat_yield();
    } while (!try_take(t, r, &verdict));
    return verdict;
}

enum take_verdict quarantine_take(struct take *t) {
    enum take_verdict verdict;
    t->victims = 0;
    t->more = t->surplus = t->told = false;
    RXP_PREFETCH((const void *)(uintptr_t)(t->block - BLOCK_HEADER)); /* checked as soon as taken */
    t->number = index_find(t->block);
    struct record *r = record_at(t->number);
    if (RXP_UNLIKELY(t->number == 0 || record_get(r, RECORD_BLOCK) != t->block))
        return TAKE_UNKNOWN;
    return RXP_LIKELY(try_take(t, r, &verdict)) ? verdict : take_at_last(t, r);
}

/* With `t` as it was taken. */
static RXP_COLD void leaves_at_once(struct take *t) {
    record_set_state(record_at(t->number), RECORD_GHOST);
    t->victim[t->victims++] = t->info;
}

/* Inside the context: outside another thread may take the block out of the queue and give it back. */
static RXP_NOINLINE void tell_account(struct take *t) {
    const struct pool_backend *backend = pool_backend();
    t->told = backend != NULL;
    if (t->told)
        t->counted = backend->counted((const void *)(uintptr_t)(t->info.block - t->info.back));
}

void quarantine_keep(struct take *t) {
    struct context *x = context_enter();
    if (RXP_UNLIKELY(x == NULL)) {
        leaves_at_once(t);
        return;
    }
    struct record *r = record_at(t->number);
    uint64_t state = record_get(r, RECORD_STATE);
    bool asks = false;
    if (RXP_UNLIKELY(record_state(state) != RECORD_FILLING)) {
        lists_recycle(x, t->number); /* DEAD: its address was handed out again */
        context_leave(x);
        return;
    }
    record_put(r, RECORD_STATE, record_with(state, RECORD_HELD));
    queue_link(x, &x->held[t->info.type & TAKE_PAGED], r, t->number);
    queue_count(x, &t->info, 1);
    if (x->room < 0) {
        if (RXP_UNLIKELY(x->patience == 1))
            asks = ask_for_room(x);
        else
            x->patience--;
        if (RXP_LIKELY(x->room < 0))
            make_room(x, t);
    }
    if (RXP_UNLIKELY(t->victims == 0 || !take_same_account(&t->info, &t->victim[0])))
        tell_account(t);
    context_leave(x);
    if (RXP_UNLIKELY(asks))
        t->surplus = share_out(x, step_bytes());
}

void quarantine_go_on(struct take *t) {
    struct context *x = context_enter();
    t->victims = 0;
    t->more = false;
    if (x == NULL)
        return;
    if (x->room < 0)
        make_room(x, t);
    context_leave(x);
}

void quarantine_set_aside(uint64_t block) {
    struct record *r = lists_lookup(block);
    if (r != NULL)
        record_set_state(r, RECORD_SET_ASIDE);
}

/* With every context's lock: as many as there are, *more whether a sweep had its eye on another one. */
static unsigned pop_all(struct record_info out[QUARANTINE_BATCH], bool paged, bool any,
                        bool *more) {
    unsigned count = 0;
    *more = false;
    for (struct context *x = contexts_first(); x != NULL; x = x->next) {
        while (count < QUARANTINE_BATCH && (any || x->room < 0)) {
            if (!pop(x, &x->held[0], &out[count]) &&
                !(paged && pop(x, &x->held[TAKE_PAGED], &out[count])))
                break;
            count++;
        }
        *more |= x->held[0].head != 0 || (paged && x->held[TAKE_PAGED].head != 0);
    }
    return count;
}

unsigned quarantine_pop(struct record_info out[QUARANTINE_BATCH], bool paged, bool any) {
    for (;;) {
        bool more;
        contexts_lock();
        unsigned count = pop_all(out, paged, any, &more);
        contexts_unlock();
        if (count != 0 || !any || !more)
            return count;
        plat_yield();
    }
}
