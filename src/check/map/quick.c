/* The common case in user mode: see quick.h. */
#include "check/quick.h"

#include "base/backend.h"
#include "check/heap.h"
#include "check/inside.h"
#include "check/map/index.h"
#include "check/map/lists.h"
#include "check/map/queue.h"
#include "check/rules.h"
#include "check/sites.h"
#include "check/sweep.h"

#define TYPES_MOST (PagedPool | NonPagedPoolNx) /* bits of a POOL_TYPE that ask for nothing more */
#define HELD_MOST (BLOCK_HEADER + BLOCK_UNITS_MOST + BLOCK_UNIT)

static struct backend_memory nothing(size_t size, const struct caller *c) {
    (void)size;
    (void)c;
    return (struct backend_memory){NULL, false};
}

static struct {
    _Atomic bool on;
    bool fill;
    const struct pool_backend *backend;
    uint32_t heap_tag;
    struct backend_memory (*heap_allocate)(size_t size, const struct caller *c);
} quick = {.heap_allocate = nothing};

void quick_start(bool fill) {
    const struct options *o = options_get();
    quick.fill = fill;
    quick.backend = pool_backend();
    bool on = quick.backend != NULL && !contexts_fenced && o->fail == OPTIONS_FAIL_NONE &&
              o->stacks == 0 && !check_guards() && !plat_pool_is_guarded() &&
              quarantine_most() >= HELD_MOST &&
              !atomic_load_explicit(&sweep_is_on, memory_order_relaxed);
    atomic_store_explicit(&quick.on, on, memory_order_release);
}

void quick_use_heap(const struct check_heap *heap) {
    quick.heap_tag = heap->tag;
    if (heap->allocate_quickly != NULL)
        quick.heap_allocate = heap->allocate_quickly;
}

RXP_INLINE bool is_on(void) {
    return RXP_LIKELY(atomic_load_explicit(&quick.on, memory_order_acquire));
}

RXP_INLINE uint32_t site_of(const struct caller *c) {
    const struct known_site *s = sites_known(c->file, c->line);
    return RXP_LIKELY(s != NULL) ? s->id : sites_of(c);
}

/* The same of a heap's caller, which mostly has no file: without stacks= that is its return address. */
RXP_INLINE uint32_t heap_site_of(const struct caller *c) {
    return RXP_LIKELY(c->file == NULL) ? sites_intern_pc(c->pc) : sites_of(c);
}

/* Whether the block is of the simplest kind, of the family (0: the pool's), and in the state. */
RXP_INLINE bool is_plain(uint64_t state_word, enum record_state state, unsigned family) {
    const struct record_info plain = {
        .kind = RECORD_POOL, .family = (uint8_t)family, .plain = true};
    return state_word >> 32 == record_state_word(&plain, state) >> 32;
}

/* What is read of the record of such a block. */
RXP_INLINE struct record_info plain_info(const struct record *r, uint64_t block,
                                         uint64_t state_word, unsigned family) {
    struct record_info info = {
        .block = block,
        .size = record_get(r, RECORD_SIZE),
        .tag = (uint32_t)record_get(r, RECORD_TAG),
        .type = (uint16_t)state_word,
        .tail = (uint16_t)(state_word >> 16),
        .family = (uint8_t)family,
        .plain = true,
        .alloc_site = family != 0 ? (uint32_t)record_get(r, RECORD_ALLOC) : 0,
    };
    info.back = (uint32_t)block_header_bytes(&info);
    return info;
}

/* --- allocation ------------------------------------------------------------------------------ */

RXP_INLINE size_t header_of(uint32_t size, unsigned family) {
    return block_header_bytes(&(const struct record_info){.size = size, .family = (uint8_t)family});
}

RXP_INLINE size_t request_of(uint32_t size, unsigned family) {
    return rxp_round_up(header_of(size, family) + (size_t)size + 1, BLOCK_ALIGNMENT);
}

/* A block in memory as it was handed out, of the family (0: the pool's). */
RXP_INLINE struct record_info fresh_info(uint64_t block, uint32_t type, uint32_t size, uint32_t tag,
                                         unsigned family) {
    size_t header = header_of(size, family);
    return (struct record_info){
        .block = block,
        .size = size,
        .tag = tag,
        .back = (uint32_t)header,
        .type = (uint16_t)type,
        .tail = (uint16_t)(request_of(size, family) - header - size),
        .family = (uint8_t)family,
        .plain = true,
    };
}

/* The record of the block that was here before, if nobody holds it any more; else NULL. */
RXP_INLINE struct record *ghost_at(uint64_t block) {
    uint32_t number = index_find(block);
    struct record *r = record_at(number);
    return RXP_LIKELY(number != 0) &&
                   RXP_LIKELY((record_get(r, RECORD_BLOCK) ^ block) < REGISTRY_GRANULE) &&
                   RXP_LIKELY(record_state(record_get(r, RECORD_STATE)) == RECORD_GHOST)
               ? r
               : NULL;
}

static RXP_COLD bool in_use(uint64_t block, const struct caller *c) {
    const struct record_info info = {.block = block};
    return check_in_use(&info, c);
}

/* The memory; 0 where it is not to be had at once, or the list that it was in is broken, which was reported. */
RXP_INLINE uintptr_t whole(struct backend_memory m, const struct caller *c) {
    if (RXP_LIKELY(m.whole))
        return (uintptr_t)m.memory;
    if (m.memory != NULL)
        check_list_is_broken(m.memory, c);
    return 0;
}

/* What a block's own bytes become. */
struct contents {
    bool fill;
    uint64_t pattern;
};

/* Writes the block, and its record, whose time and site are those. False: the record is to be had by other means. */
RXP_INLINE bool put_live(struct context *x, struct record *r, struct record_info info,
                         struct contents contents, uint32_t site, uint32_t time) {
    block_put_live_as(&info, contents.fill, contents.pattern);
    info.alloc_site = site;
    info.time = time;
    if (RXP_UNLIKELY(r == NULL) || RXP_UNLIKELY(!context_enter_easy(x)))
        return false;
    lists_write(r, &info, x);
    context_leave_easy(x);
    return true;
}

/* A block that was written: mostly the first one in its place. Where there is no record, check.c says so. */
static RXP_NOINLINE void *enter(uint64_t block, uint32_t type, uint32_t size, uint32_t tag,
                                uint32_t site, uint32_t time, const struct caller *c) {
    struct record_info info = fresh_info(block, type, size, tag, 0);
    info.alloc_site = site;
    info.time = time;
    return RXP_LIKELY(registry_insert(&info)) ? (void *)(uintptr_t)block : check_hand_out(&info, c);
}

/* At an IRQL that every type allows. */
void *check_allocate(uint32_t type, uint32_t size, uint32_t tag, const struct caller *c) {
    struct context *x = context_mine;
    if (RXP_UNLIKELY(!is_on() || size - 1 >= BLOCK_UNITS_MOST || (type & ~TYPES_MOST) != 0 ||
                     !rules_known(type, tag) || !context_is_easy(x)))
        return check_allocate_any(type, size, tag, c);
    uint32_t site = site_of(c), time = (uint32_t)plat_clock_ms();
    uintptr_t memory = whole(quick.backend->allocate(type, request_of(size, 0), tag), c);
    uint64_t block = memory + BLOCK_HEADER;
    if (RXP_UNLIKELY(memory == 0))
        return check_allocate_any(type, size, tag, c);
    rxp_assert(KeGetCurrentIrql() <= APC_LEVEL);
    rxp_assert(memory % BLOCK_ALIGNMENT == 0 &&
               memory % PAGE_SIZE + request_of(size, 0) <= PAGE_SIZE);
    struct record_info info = fresh_info(block, type, size, tag, 0);
    struct record *r = ghost_at(block);
    if (RXP_UNLIKELY(check_seems_live(&info)) && in_use(block, c))
        return check_allocate_any(type, size, tag, c);
    const struct contents fresh = {quick.fill, BLOCK_WORD_OF(BLOCK_FRESH)};
    if (RXP_UNLIKELY(!put_live(x, r, info, fresh, site, time)))
        return enter(block, type, size, tag, site, time, c);
    return (void *)(uintptr_t)block;
}

/* The same for heap.c. */
static RXP_NOINLINE void *heap_enter(uint64_t block, uint32_t size, unsigned flags, unsigned family,
                                     uint32_t site, uint32_t time) {
    struct record_info info = fresh_info(block, NonPagedPoolNx, size, quick.heap_tag, family);
    info.alloc_site = site;
    info.time = time;
    return RXP_LIKELY(registry_insert(&info)) ? (void *)(uintptr_t)block
                                              : check_heap_hand_out(&info, flags);
}

void *check_heap_allocate(size_t size, size_t alignment, unsigned flags, enum heap_family family,
                          const struct caller *c) {
    struct context *x = context_mine;
    if (RXP_UNLIKELY(!is_on() || size > BLOCK_UNITS_MOST || alignment > BLOCK_ALIGNMENT ||
                     !context_is_easy(x)))
        return check_heap_allocate_any(size, alignment, flags, family, c);
    uint32_t small = (uint32_t)size, site = heap_site_of(c), time = (uint32_t)plat_clock_ms();
    uintptr_t memory = whole(quick.heap_allocate(request_of(small, family), c), c);
    uint64_t block = memory + header_of(small, family);
    if (RXP_UNLIKELY(memory == 0))
        return check_heap_allocate_any(size, alignment, flags, family, c);
    rxp_assert(memory % BLOCK_ALIGNMENT == 0);
    struct record_info info = fresh_info(block, NonPagedPoolNx, small, quick.heap_tag, family);
    struct record *r = ghost_at(block);
    if (RXP_UNLIKELY(check_seems_live(&info)) && in_use(block, c))
        return check_heap_allocate_any(size, alignment, flags, family, c);
    const struct contents contents = {flags == 0 ? quick.fill : flags == HEAP_ZERO,
                                      flags == 0 ? BLOCK_WORD_OF(BLOCK_FRESH) : 0};
    if (RXP_UNLIKELY(!put_live(x, r, info, contents, site, time)))
        return heap_enter(block, small, flags, family, site, time);
    return (void *)(uintptr_t)block;
}

/* --- free ------------------------------------------------------------------------------------ */

/* A block that was taken. */
struct taken {
    struct record *r;
    uint32_t number, site;
    uint64_t live; /* its state word before */
};

/* The same for check.c. */
static void as_take(struct take *t, const struct taken *from) {
    t->site = from->site;
    t->irql = PASSIVE_LEVEL; /* low enough for what is still to do */
    t->victims = 0;
    t->more = t->surplus = t->told = false;
    t->number = from->number;
    record_read(from->r, from->live, &t->info);
    t->block = t->info.block;
}

static RXP_NOINLINE void finish(struct taken from, const struct caller *c) {
    struct take t;
    as_take(&t, &from);
    check_finish_free(&t, true, c);
}

static RXP_NOINLINE void keep(struct taken from, const struct caller *c) {
    struct take t;
    as_take(&t, &from);
    check_keep(&t, c);
}

/* Who left the quarantine for a block. */
struct left {
    struct record *r;
    uint64_t held;   /* its state word before */
    bool told, more; /* as in struct take */
    struct counted_block counted;
};

static RXP_NOINLINE void make_way(struct left from, const struct caller *c) {
    struct take t;
    t.irql = PASSIVE_LEVEL;
    t.victims = 1;
    t.told = from.told;
    t.counted = from.counted;
    t.more = from.more;
    t.surplus = false;
    record_read(from.r, from.held, &t.victim[0]);
    check_make_way(&t, c);
}

/* The two are not of a kind: what of the counts changes. The other account is asked before anybody could take the block. */
static RXP_NOINLINE bool count_apart(struct context *x, struct record_info in,
                                     struct record_info gone, struct counted_block *counted) {
    queue_count(x, &in, 1);
    queue_count(x, &gone, -1);
    if (take_same_account(&in, &gone))
        return false;
    *counted = quick.backend->counted((const void *)(uintptr_t)(in.block - in.back));
    return true;
}

/*
 * Puts the block in a queue, and takes the oldest one off one. False, with nothing done: there is room without
 * that, or something is in the way. (Record 0 is nobody's: the queue is empty.)
 */
RXP_INLINE bool exchange(struct context *x, const struct taken *in, const struct record_info *info,
                         struct left *out, struct record_info *gone) {
    uint64_t filling = record_step(in->live, RECORD_LIVE, RECORD_FILLING);
    if (RXP_UNLIKELY(!context_enter_easy(x)))
        return false;
    struct queue *q = queue_of_victims(x, PASSIVE_LEVEL);
    struct record *r = record_at(q->head);
    uint64_t held = record_get(r, RECORD_STATE);
    if (RXP_UNLIKELY(record_get(in->r, RECORD_STATE) != filling ||
                     !is_plain(held, RECORD_HELD, info->family) || x->patience == 0 ||
                     x->room >= (int64_t)take_held_bytes(info))) {
        context_leave_easy(x);
        return false;
    }
    x->patience--;
    record_put(in->r, RECORD_STATE, record_step(filling, RECORD_FILLING, RECORD_HELD));
    queue_link(x, &x->held[info->type & TAKE_PAGED], in->r, in->number);
    record_put(r, RECORD_STATE, record_step(held, RECORD_HELD, RECORD_GHOST));
    queue_unlink(q, r);
    *gone = plain_info(r, record_get(r, RECORD_BLOCK), held, info->family);
    *out = (struct left){.r = r, .held = held};
    /* Of a kind, also by the type and the tail in the state word's lower half: every count is what it was. */
    if (RXP_UNLIKELY(gone->size != info->size || gone->tag != info->tag ||
                     gone->alloc_site != info->alloc_site || (uint32_t)held != (uint32_t)filling)) {
        struct counted_block counted = {0, 0};
        out->told = count_apart(x, *info, *gone, &counted);
        out->counted = counted;
    }
    out->more = x->room < 0;
    context_leave_easy(x);
    return true;
}

RXP_INLINE void give_back(const struct left *out, const struct record_info *gone) {
    void *memory = (void *)(uintptr_t)(gone->block - gone->back);
    if (RXP_UNLIKELY(out->told))
        quick.backend->hold_instead(out->counted, quick.backend->counted(memory));
    if (gone->family == 0 || !quick.backend->release(memory))
        ExFreePool(memory);
}

/* False: nothing was done. */
RXP_INLINE bool take(uint64_t block, uint32_t tag, unsigned family, const struct context *x,
                     struct taken *out, const struct caller *c) {
    RXP_PREFETCH((const void *)(uintptr_t)(block - BLOCK_HEADER)); /* read as soon as it is taken */
    out->number = index_find(block);
    out->r = record_at(out->number);
    if (RXP_UNLIKELY(out->number == 0 || record_get(out->r, RECORD_BLOCK) != block))
        return false;
    out->live = record_get(out->r, RECORD_STATE);
    if (RXP_UNLIKELY(!is_plain(out->live, RECORD_LIVE, family)) ||
        (tag != 0 && !take_same_tag(tag, (uint32_t)record_get(out->r, RECORD_TAG))))
        return false;
    out->site = family == 0 ? site_of(c) : heap_site_of(c);
    uint64_t state = out->live;
    if (RXP_UNLIKELY(!atomic_compare_exchange_strong_explicit(
            &out->r->word[RECORD_STATE], &state, record_step(state, RECORD_LIVE, RECORD_FILLING),
            memory_order_acq_rel, memory_order_acquire)))
        return false;
    record_put(out->r, RECORD_FREE, record_pair(out->site, x->thread));
    return true;
}

/* False: nothing was done. */
RXP_INLINE bool free_block(uint64_t block, uint32_t tag, unsigned family, const struct caller *c) {
    struct context *x = context_mine;
    struct taken in;
    struct left out;
    struct record_info gone;
    if (RXP_UNLIKELY(!context_is_easy(x) || !take(block, tag, family, x, &in, c)))
        return false;
    const struct record_info info = plain_info(in.r, block, in.live, family);
    if (RXP_UNLIKELY(!block_live_is_whole(&info))) {
        finish(in, c);
        return true;
    }
    block_put_ended(&info, quick.fill);
    if (RXP_UNLIKELY(!exchange(x, &in, &info, &out, &gone)))
        keep(in, c);
    else if (RXP_LIKELY(block_freed_is_whole(&gone, quick.fill) && !out.more))
        give_back(&out, &gone);
    else
        make_way(out, c);
    return true;
}

void check_free(void *block, uint32_t tag, const struct caller *c) {
    if (RXP_UNLIKELY(!is_on() || KeGetCurrentIrql() > APC_LEVEL ||
                     !free_block((uintptr_t)block, tag, 0, c)))
        check_free_any(block, tag, c);
}

void check_heap_free(void *block, enum heap_family family, const struct caller *c) {
    if (RXP_UNLIKELY(!is_on() || !free_block((uintptr_t)block, 0, (unsigned)family, c)))
        check_heap_free_any(block, family, c);
}
