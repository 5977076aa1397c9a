/* The registry in user mode: registry.h over records, the map and contexts. */
#include "check/registry.h"

#include "base/options.h"
#include "check/map/context.h"
#include "check/map/index.h"
#include "check/map/lists.h"

#define SEQUENCE_STEP 64u
#define WALK_STEPS 64u /* records looked at by one call of registry_next */

static struct {
    struct plat_lock start_lock, sequence_lock;
    uint32_t sequence;
    _Atomic bool ready;
} registry;

_Atomic uint32_t lists_mark;

/* --- start and fork --------------------------------------------------------------------------- */

static bool is_ready(void) {
    return atomic_load_explicit(&registry.ready, memory_order_acquire);
}

/* With the start's lock, what is not ready stays so. */
static void fork_prepare(void) {
    plat_lock_acquire(&registry.start_lock);
    if (!is_ready())
        return;
    contexts_lock();
    records_fork_lock();
    index_fork_lock();
    plat_lock_acquire(&registry.sequence_lock);
}

static void fork_done(void) {
    if (is_ready()) {
        plat_lock_release(&registry.sequence_lock);
        index_fork_unlock();
        records_fork_unlock();
        contexts_unlock();
    }
    plat_lock_release(&registry.start_lock);
}

static void unpin_of_parent(uint32_t number) {
    uint64_t state = record_get(record_at(number), RECORD_STATE);
    if (record_state(state) == RECORD_BUSY)
        record_move(record_at(number), &state, RECORD_LIVE);
    else if (record_state(state) == RECORD_SWEPT)
        record_move(record_at(number), &state, RECORD_HELD);
}

static void fork_child(void) {
    if (is_ready())
        contexts_fork_child(unpin_of_parent);
    fork_done();
}

void registry_watch_forks(void) {
    static bool watches;
    if (!watches) {
        watches = true;
        plat_at_fork(fork_prepare, fork_done, fork_child);
    }
}

static bool start(void) {
    if (!records_start() || !index_start())
        return false;
    contexts_start();
    registry_watch_forks();
    return true;
}

bool registry_ready(void) {
    if (RXP_LIKELY(is_ready()))
        return true;
    plat_lock_acquire(&registry.start_lock);
    bool ready = atomic_load_explicit(&registry.ready, memory_order_relaxed) || start();
    atomic_store_explicit(&registry.ready, ready, memory_order_release);
    plat_lock_release(&registry.start_lock);
    return ready;
}

/* --- numbers ----------------------------------------------------------------------------------- */

/*
 * A step of numbers, or the rest of one that was left at the number in front of break=: so the call that
 * gets that number comes by here, and no other has to look.
 */
RXP_NOINLINE void lists_refill_sequence(struct context *x) {
    if (x->sequence % SEQUENCE_STEP == 0) {
        plat_lock_acquire(&registry.sequence_lock);
        x->sequence = registry.sequence;
        registry.sequence += SEQUENCE_STEP;
        plat_lock_release(&registry.sequence_lock);
    }
    x->sequence_end = (x->sequence / SEQUENCE_STEP + 1) * SEQUENCE_STEP;
    uint64_t at = options_get()->break_at;
    uint32_t ahead = (uint32_t)at - x->sequence;
    if (at == 0 || ahead == 0 || ahead > x->sequence_end - x->sequence)
        return;
    if (ahead == 1)
        plat_break();
    else
        x->sequence_end = (uint32_t)at - 1;
}

static uint32_t new_record(struct context *x) {
    uint32_t n = lists_unused(x);
    if (n != 0)
        return n;
    x->fresh = 0;
    x->fresh_end = records_carve(&x->fresh);
    return lists_unused(x);
}

void lists_recycle(struct context *x, uint32_t number) {
    record_set_state(record_at(number), RECORD_NONE);
    record_set_next(record_at(number), x->unused);
    x->unused = number;
}

/* --- entering ---------------------------------------------------------------------------------- */

/*
 * What a record left at a granule that the pool has handed out anew may become: true when it is free to
 * be used for the new block. Mostly a ghost; one that is live was freed behind our back, and one that is
 * held is still queued and must stay what it is.
 */
static RXP_COLD bool release_left(struct record *r) {
    for (;;) {
        uint64_t state = record_get(r, RECORD_STATE);
        switch (record_state(state)) {
        case RECORD_BUSY:
            plat_yield(); /* somebody reads the older block's bytes */
            break;
        case RECORD_FILLING:
        case RECORD_HELD:
        case RECORD_SWEPT:
        case RECORD_DEAD:
            if (record_state(state) == RECORD_DEAD || record_move(r, &state, RECORD_DEAD))
                return false;
            break;
        default:
            if (record_move(r, &state, RECORD_GHOST))
                return true;
        }
    }
}

/* The record left at this very granule, ready to be written; 0 for none. */
static uint32_t record_left(uint64_t block) {
    uint32_t n = index_find(block);
    if (n == 0)
        return 0;
    struct record *r = record_at(n);
    uint64_t other = record_get(r, RECORD_BLOCK);
    if (RXP_UNLIKELY(other / REGISTRY_GRANULE != block / REGISTRY_GRANULE))
        return 0;
    if (RXP_LIKELY(record_state(record_get(r, RECORD_STATE)) == RECORD_GHOST) || release_left(r))
        return n;
    return 0;
}

static RXP_NOINLINE bool insert_new(struct context *x, const struct record_info *info) {
    uint32_t n = new_record(x);
    if (n == 0)
        return false;
    struct record *r = record_at(n);
    record_put(r, RECORD_BLOCK, info->block); /* index_set looks at it */
    if (!index_set(info->block, n)) {
        lists_recycle(x, n);
        return false;
    }
    lists_write(r, info, x);
    return true;
}

bool registry_insert(const struct record_info *info) {
    uint32_t n = record_left(info->block);
    struct context *x = context_enter();
    if (RXP_UNLIKELY(x == NULL))
        return false;
    bool done = true;
    if (RXP_LIKELY(n != 0))
        lists_write(record_at(n), info, x);
    else
        done = insert_new(x, info);
    context_leave(x);
    return done;
}

/* --- looking up -------------------------------------------------------------------------------- */

struct record *lists_lookup(uint64_t block) {
    uint32_t n = index_find(block);
    struct record *r = record_at(n);
    return n != 0 && record_get(r, RECORD_BLOCK) == block ? r : NULL;
}

/*
 * A copy of a record, all of one moment; false when that moment is not to be had, because the record
 * is being written for another block.
 */
static bool copy(const struct record *r, struct record_info *out) {
    for (unsigned tries = 0; tries < 1000; tries++) {
        uint64_t when = record_get(r, RECORD_WHEN), state = record_get(r, RECORD_STATE);
        record_read(r, state, out);
        if (record_get(r, RECORD_STATE) == state && record_get(r, RECORD_WHEN) == when)
            return true;
    }
    return false;
}

bool registry_find(uint64_t block, struct record_info *out) {
    if (!registry_ready())
        return false;
    const struct record *r = lists_lookup(block);
    return r != NULL && copy(r, out) && out->block == block && out->state != RECORD_NONE;
}

/* About 40 instructions: some programs ask it of every block that they allocate and free. */
uint64_t registry_size(uint64_t block) {
    struct record_info info;
    const struct record *r = registry_ready() ? lists_lookup(block) : NULL;
    if (RXP_UNLIKELY(r == NULL))
        return 0;
    uint64_t when = record_get(r, RECORD_WHEN), state = record_get(r, RECORD_STATE);
    uint64_t size = record_get(r, RECORD_SIZE), at = record_get(r, RECORD_BLOCK);
    if (RXP_LIKELY(record_state(state) == RECORD_LIVE && at == block &&
                   record_get(r, RECORD_STATE) == state && record_get(r, RECORD_WHEN) == when))
        return size;
    return registry_find(block, &info) && (info.state == RECORD_LIVE || info.state == RECORD_BUSY)
               ? info.size
               : 0;
}

bool registry_is_taken(uint64_t block) {
    uint32_t n = index_find(block);
    struct record_info info;
    if (n == 0 || record_get(record_at(n), RECORD_BLOCK) != block ||
        RXP_LIKELY(record_state(record_get(record_at(n), RECORD_STATE)) == RECORD_GHOST))
        return false;
    return registry_find(block, &info) && info.kind == RECORD_POOL && info.state != RECORD_GHOST &&
           info.state != RECORD_DEAD;
}

bool registry_pin(uint64_t block, struct record_info *out) {
    out->state = RECORD_NONE;
    struct record *r = registry_ready() ? lists_lookup(block) : NULL;
    if (r == NULL)
        return false;
    for (;;) {
        uint64_t state = record_get(r, RECORD_STATE);
        switch (record_state(state)) {
        case RECORD_BUSY:
            plat_yield();
            break;
        case RECORD_LIVE:
            context_pin((uint32_t)(r - record_base));
            if (!record_move(r, &state, RECORD_BUSY))
                break;
            record_read(r, state, out);
            if (out->block == block)
                return true;
            record_set_state(r, RECORD_LIVE); /* the address became another block's meanwhile */
            out->state = RECORD_NONE;
            return false;
        default:
            if (!registry_find(block, out))
                out->state = RECORD_NONE;
            return false;
        }
    }
}

void registry_unpin(uint64_t block, enum record_state state) {
    struct record *r = lists_lookup(block);
    if (RXP_UNLIKELY(state != RECORD_LIVE))
        record_put(r, RECORD_FREE, 0); /* it was the mark, and nobody has freed the block */
    record_set_state(r, state);
    context_pin(0);
}

void registry_resize(const struct record_info *info) {
    struct record *r = lists_lookup(info->block);
    union record_view v;
    v.info = *info;
    v.info.state = RECORD_LIVE;
    record_put(r, RECORD_SIZE, v.word[RECORD_SIZE]);
    record_put(r, RECORD_STATE, v.word[RECORD_STATE]);
    context_pin(0);
}

void registry_forget(uint64_t block, uint32_t free_site) {
    struct record *r = lists_lookup(block);
    uint64_t state = r != NULL ? record_get(r, RECORD_STATE) : 0;
    if (r == NULL || record_state(state) != RECORD_LIVE || !record_move(r, &state, RECORD_FILLING))
        return;
    record_put(r, RECORD_FREE, free_site | (uint64_t)plat_thread_id() << 32);
    record_set_state(r, RECORD_GHOST);
}

void registry_vacate(uint64_t block) {
    struct record *r = registry_ready() ? lists_lookup(block) : NULL;
    if (r != NULL && release_left(r))
        record_set_state(
            r, RECORD_NONE); /* the index still leads to it: the next block here takes it */
}

/* --- walking ----------------------------------------------------------------------------------- */

static bool copy_live(uint32_t number, struct record_info *out) {
    const struct record *r = record_at(number);
    return record_state(record_get(r, RECORD_STATE)) == RECORD_LIVE && copy(r, out) &&
           out->state == RECORD_LIVE;
}

void registry_each_live(void (*visit)(void *argument, const struct record_info *info),
                        void *argument) {
    struct record_info info;
    uint32_t end = registry_ready() ? records_end() : 0;
    for (uint32_t i = 1; i < end; i++) {
        if (copy_live(i, &info))
            visit(argument, &info);
    }
}

void registry_at(uint32_t id, struct record_info *out) {
    if (!copy(record_at(id), out))
        out->state = RECORD_NONE;
}

void registry_each_record(void (*visit)(void *argument, uint32_t id,
                                        const struct record_info *info),
                          void *argument) {
    struct record_info info;
    uint32_t end = registry_ready() ? records_end() : 0;
    for (uint32_t i = 1; i < end; i++) {
        registry_at(i, &info);
        if (info.state != RECORD_NONE && info.state != RECORD_GHOST && info.state != RECORD_DEAD)
            visit(argument, i, &info);
    }
}

/* The walk's hand: the record that it came by last, and above that the number of its calls. */
#define HAND_RECORD(hand) ((uint32_t)(hand))
#define HAND_CALL ((uint64_t)1 << 32)

static enum record_state whose_turn(uint32_t number) {
    const struct record *r = record_at(number);
    uint32_t seen = atomic_load_explicit(&r->seen, memory_order_relaxed);
    enum record_state state = record_state(record_get(r, RECORD_STATE));
    return RECORD_SEEN_SIGHT(seen) != SEEN_DAMAGED ? state : RECORD_NONE;
}

/* False where it is not live or held any more: another thread was faster. */
static bool pin_next(uint32_t number, struct record_info *out) {
    struct record *r = record_at(number);
    uint64_t state = record_get(r, RECORD_STATE);
    bool live = record_state(state) == RECORD_LIVE;
    if (!live && record_state(state) != RECORD_HELD)
        return false;
    context_pin(number);
    if (!record_move(r, &state, live ? RECORD_BUSY : RECORD_SWEPT)) {
        context_pin(0);
        return false;
    }
    record_read(r, state, out);
    return true;
}

/*
 * Live blocks first: nobody else comes by them. Of the held ones in a stretch without a live one, another
 * one each time.
 */
uint32_t registry_next(uint64_t *hand, struct record_info *out) {
    uint32_t end = registry_ready() ? records_end() : 0, held = 0;
    uint32_t number = HAND_RECORD(*hand), call = (uint32_t)(*hand / HAND_CALL);
    bool pinned = false;
    for (uint32_t step = 0; step < WALK_STEPS && step + 1 < end && !pinned; step++) {
        number = number + 1 < end ? number + 1 : 1;
        enum record_state state = whose_turn(number);
        pinned = state == RECORD_LIVE && pin_next(number, out);
        if (state == RECORD_HELD && (held == 0 || step <= call % WALK_STEPS))
            held = number;
    }
    *hand = (uint64_t)(call + 1) * HAND_CALL | number;
    if (pinned)
        return number;
    return held != 0 && pin_next(held, out) ? held : 0;
}

void registry_release(uint32_t id, const struct record_info *info, enum registry_sight sight) {
    struct record *r = record_at(id);
    if (sight != SEEN_NOT)
        record_set_seen(r, RECORD_SEEN(sight, plat_clock_ms()));
    if (info->state == RECORD_LIVE) {
        record_set_state(r, RECORD_LIVE);
    } else {
        uint64_t state = record_get(r, RECORD_STATE);
        /* Else it is DEAD: its address was handed out again. */
        if (record_state(state) == RECORD_SWEPT)
            record_move(r, &state, sight == SEEN_DAMAGED ? RECORD_SET_ASIDE : RECORD_HELD);
    }
    context_pin(0);
}

void registry_saw(uint64_t block, enum registry_sight sight) {
    struct record *r = lists_lookup(block);
    if (RECORD_SEEN_SIGHT(atomic_load_explicit(&r->seen, memory_order_relaxed)) != SEEN_DAMAGED)
        record_set_seen(r, RECORD_SEEN(sight, plat_clock_ms()));
}

enum registry_sight registry_seen(const struct record_info *info, uint32_t *time) {
    const struct record *r = lists_lookup(info->block);
    uint32_t seen = r != NULL ? atomic_load_explicit(&r->seen, memory_order_relaxed) : 0;
    *time = seen != 0 ? RECORD_SEEN_MS(seen) : info->time;
    if ((int32_t)(*time - info->time) < 0) /* what the steps have cut off */
        *time = info->time;
    return RECORD_SEEN_SIGHT(seen);
}

bool registry_counts(uint64_t every) {
    struct context *x = context_mine;
    if (x == NULL || x == contexts_late || ++x->calls < every)
        return false;
    x->calls = 0;
    return true;
}

uint64_t registry_bytes(void) {
    return records_end() * (uint64_t)sizeof(struct record) + index_bytes();
}

/* Relaxed is exact: what happens before or after the mark reads an earlier or a later value of one variable. */
uint32_t registry_mark(void) {
    uint32_t last = atomic_load_explicit(&lists_mark, memory_order_relaxed);
    while (last != UINT32_MAX &&
           !atomic_compare_exchange_weak_explicit(&lists_mark, &last, last + 1,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
    return last != UINT32_MAX ? last + 1 : last;
}
