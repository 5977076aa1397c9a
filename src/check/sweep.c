/* Checks of blocks that nobody frees just now: see sweep.h. */
#include "check/sweep.h"

#include "base/backend.h"
#include "base/options.h"
#include "check/check.h"
#include "check/inside.h"

#define RXPOOL_CHECKED 1
#include <ntrxdef.h>

#define TYPE_PAGED 1u /* of POOL_TYPE */

_Atomic bool sweep_is_on;

/* --- checks on demand ------------------------------------------------------------------------ */

static uint32_t header_state(const struct record_info *info) {
    return info->kind == RECORD_SIGNED ? RX_POOL_STATE_SIGNED : RX_POOL_STATE_ALLOCATED;
}

/* Whether the block may be touched at this IRQL. */
static bool touchable(const struct record_info *info, unsigned irql) {
    return irql <= ((info->type & TYPE_PAGED) != 0 ? APC_LEVEL : DISPATCH_LEVEL);
}

/* Why `block` is not one that can be checked, for whoever asked. */
static RXP_COLD void tell_why(const void *block, const struct record_info *known,
                              const struct caller *c) {
    static const char *const what[] = {
        [BACKEND_BLOCK] = "a block without an RX_POOL_HEADER was checked",
        [BACKEND_INTERIOR] = "an address inside a block was checked",
        [BACKEND_UNUSED] = "an address of the pool at which nothing is allocated was checked",
        [BACKEND_FOREIGN] = "an address that is in no pool was checked",
    };
    struct record_info info = *known;
    uintptr_t start;
    uint32_t tag;
    const struct pool_backend *backend = pool_backend();
    enum backend_kind kind =
        backend != NULL ? backend->lookup(block, &start, &tag) : BACKEND_FOREIGN;
    if (info.state != RECORD_NONE && info.kind != RECORD_OTHERS) {
        warn_unchecked(c, (uintptr_t)block, "a freed block was checked", &info);
    } else if (info.state == RECORD_NONE && check_find_around((uintptr_t)block, &info)) {
        warn_unchecked(c, (uintptr_t)block, what[BACKEND_INTERIOR], &info);
    } else {
        warn_unchecked(c, (uintptr_t)block, what[kind], &info);
    }
}

/* Whether the pinned block is whole; a warning says how it is not. */
static bool verify_pinned(const struct record_info *info, enum registry_sight sight,
                          const struct caller *c) {
    struct damage d;
    if (RXP_UNLIKELY(!block_is_readable(info))) {
        warn_unchecked(c, info->block, "a block was checked whose memory cannot be read", info);
        return false;
    }
    block_check_live(info, header_state(info), &d);
    if (d.kind == DAMAGE_NONE)
        registry_saw(info->block, sight);
    else
        warn_damage(c, info, &d);
    return d.kind == DAMAGE_NONE;
}

/* A paged block at too high an IRQL: who has pinned it may be what this thread has interrupted. */
static bool untouchable_now(const void *block, struct record_info *info, const struct caller *c) {
    unsigned irql = KeGetCurrentIrql();
    if (irql <= APC_LEVEL || !registry_find((uintptr_t)block, info) || touchable(info, irql) ||
        (info->state != RECORD_LIVE && info->state != RECORD_BUSY))
        return false;
    warn_check_irql(c, info, irql);
    return true;
}

bool check_verify(const void *block, const struct caller *c) {
    struct record_info info = {0};
    if (RXP_UNLIKELY(check_start() && untouchable_now(block, &info, c)))
        return true;
    bool live = check_start() && registry_pin((uintptr_t)block, &info);
    bool whole = live && (info.kind == RECORD_PLAIN ||
                          (info.kind != RECORD_OTHERS && verify_pinned(&info, SEEN_BY_CHECK, c)));
    if (!live || info.kind == RECORD_OTHERS)
        tell_why(block, &info, c);
    if (live)
        registry_unpin(info.block, RECORD_LIVE);
    return whole;
}

struct round {
    const struct caller *caller;
    size_t damaged;
};

/* Blocks come and go meanwhile; a paged one that may not be touched now is left out. */
static void verify_one(void *argument, const struct record_info *info) {
    struct round *round = argument;
    struct record_info now;
    if (info->kind == RECORD_OTHERS || info->kind == RECORD_PLAIN ||
        !touchable(info, KeGetCurrentIrql()) || !registry_pin(info->block, &now))
        return;
    if (now.sequence == info->sequence && !verify_pinned(&now, SEEN_BY_CHECK_ALL, round->caller))
        round->damaged++;
    registry_unpin(now.block, RECORD_LIVE);
}

size_t check_verify_all(const struct caller *c) {
    struct round round = {c, 0};
    check_drain(KeGetCurrentIrql() <= APC_LEVEL, c);
    registry_each_live(verify_one, &round);
    return round.damaged;
}

/* --- a little at a time ---------------------------------------------------------------------- */

static struct {
    uint64_t every;
    _Atomic uint64_t hand; /* of registry_next */
} sweep;

void sweep_start(void) {
    sweep.every = options_get()->sweep;
    atomic_store_explicit(&sweep_is_on, sweep.every != 0, memory_order_relaxed);
}

/* A block in the hands of registry_next: what it is to be released with. */
static enum registry_sight look(const struct record_info *info, const struct caller *c) {
    struct damage d;
    if (info->kind == RECORD_OTHERS || info->kind == RECORD_PLAIN ||
        !touchable(info, KeGetCurrentIrql()) || !block_is_readable(info))
        return SEEN_NOT;
    if (info->state == RECORD_HELD)
        block_check_freed(info, options_get()->fill, &d);
    else
        block_check_live(info, header_state(info), &d);
    if (RXP_LIKELY(d.kind == DAMAGE_NONE))
        return SEEN_BY_SWEEP;
    report_damage(c, info, &d); /* still pinned: it shows the bytes */
    return SEEN_DAMAGED;
}

RXP_NOINLINE void sweep_count(const struct caller *c) {
    struct record_info info;
    if (!registry_counts(sweep.every))
        return;
    /*
     * Two threads may walk the same stretch: each block is pinned by one of them. The walk never falls
     * back behind where the faster one has got.
     */
    uint64_t from = atomic_load_explicit(&sweep.hand, memory_order_relaxed), hand = from;
    uint32_t id = registry_next(&hand, &info);
    atomic_compare_exchange_strong_explicit(&sweep.hand, &from, hand, memory_order_relaxed,
                                            memory_order_relaxed);
    if (id != 0)
        registry_release(id, &info,
                         look(&info, &(const struct caller){"sweep", c->file, c->line, c->pc}));
}

/* --- at exit --------------------------------------------------------------------------------- */

struct last_look {
    const struct caller *caller;
    bool heap;
};

static void look_last(void *argument, const struct record_info *seen) {
    const struct last_look *look = argument;
    struct record_info info;
    struct damage d;
    /* The memory of a signed block may be gone by now. */
    if ((seen->kind != RECORD_POOL && seen->kind != RECORD_GUARDED) ||
        (seen->family != 0) != look->heap || !registry_pin(seen->block, &info))
        return;
    d.kind = DAMAGE_NONE;
    if (RXP_LIKELY(info.plain) && RXP_LIKELY(block_live_is_whole(&info))) {
        registry_unpin(info.block, RECORD_LIVE);
        return;
    }
    if (info.kind == seen->kind && block_is_readable(&info))
        block_check_live(&info, RX_POOL_STATE_ALLOCATED, &d);
    if (RXP_UNLIKELY(d.kind != DAMAGE_NONE))
        report_damage(look->caller, &info, &d); /* still pinned: it shows the bytes */
    registry_unpin(info.block, d.kind == DAMAGE_NONE ? RECORD_LIVE : RECORD_SET_ASIDE);
}

void sweep_at_exit(bool heap, const struct caller *c) {
    registry_each_live(look_last, &(struct last_look){c, heap});
}
