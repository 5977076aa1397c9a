/* The common case in user mode: see quick.h. */
#include "check/quick.h"

#include <string.h>

#include "base/backend.h"
#include "check/heap.h"
#include "check/inside.h"
#include "check/map/index.h"
#include "check/map/lists.h"
#include "check/map/queue.h"
#include "check/rules.h"
#include "check/sites_pc.h"
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

/* In *last is where the thread's last call of that kind came from: often it is a loop. */
RXP_INLINE uint32_t site_of(const struct known_site **last, const struct caller *c) {
    if (sites_is(*last, c->file, c->line))
        return (*last)->id;
    const struct known_site *s = sites_known(c->file, c->line);
    if (RXP_UNLIKELY(s == NULL))
        return sites_of(c);
    *last = s;
    return s->id;
}

/* The same of a heap's caller, which mostly has no file: without stacks= that is its return address. */
RXP_INLINE uint32_t heap_site_of(const struct caller *c) {
    uint32_t id = RXP_LIKELY(c->file == NULL) ? sites_known_pc(c->pc) : 0;
    return RXP_LIKELY(id != 0) ? id : sites_of(c);
}

/* Whether the block is of the simplest kind, of the family (0: the pool's), and in the state. */
RXP_INLINE bool is_plain(uint64_t state_word, enum record_state state, unsigned family) {
    const struct record_info plain = {
        .kind = RECORD_POOL, .family = (uint8_t)family, .plain = true};
    return state_word >> 32 == record_state_word(&plain, state) >> 32;
}

/* What follows serves blocks of the pool, or of a heap's families, which are alike but for what they are called. */
#define ANY_FAMILY(heaps) ((heaps) ? HEAP_MALLOC : 0)

/* What a state word says of the family alone. */
RXP_INLINE uint64_t family_word(unsigned family) {
    return record_state_word(&(const struct record_info){.family = (uint8_t)family}, 0);
}

#define FAMILIES family_word(0xFF)

/* The same of a block that was freed, of whichever of a heap's families. */
RXP_INLINE bool is_plain_freed(uint64_t state_word, enum record_state state, bool heaps) {
    return is_plain(heaps ? state_word & ~FAMILIES : state_word, state, 0) &&
           (!heaps || (state_word & FAMILIES) != 0);
}

/* What is read of the record of such a block. */
RXP_INLINE struct record_info plain_info(const struct record *r, uint64_t block,
                                         uint64_t state_word, bool heaps) {
    struct record_info info = {
        .block = block,
        .size = record_get(r, RECORD_SIZE),
        .tag = heaps ? quick.heap_tag : (uint32_t)record_get(r, RECORD_TAG),
        .type = heaps ? (uint16_t)NonPagedPoolNx : (uint16_t)state_word,
        .tail = (uint16_t)(state_word >> 16),
        .family = ANY_FAMILY(heaps),
        .plain = true,
    };
    info.back = (uint32_t)block_header_bytes(&info);
    return info;
}

/* --- allocation ------------------------------------------------------------------------------ */

/* How a block lies in its memory. */
struct lie {
    uint32_t header, request;
};

RXP_INLINE struct lie lie_behind(uint32_t header, uint32_t size) {
    return (struct lie){header,
                        (header + size + BLOCK_ALIGNMENT) & ~(uint32_t)(BLOCK_ALIGNMENT - 1)};
}

RXP_INLINE struct lie lie_of(uint32_t size, bool heaps) {
    const struct record_info info = {.size = size, .family = ANY_FAMILY(heaps)};
    return lie_behind((uint32_t)block_header_bytes(&info), size);
}

/* A block in memory as it was handed out. */
RXP_INLINE struct record_info fresh_info(uint64_t block, uint32_t type, uint32_t size, uint32_t tag,
                                         struct lie lie, bool heaps) {
    return (struct record_info){
        .block = block,
        .size = size,
        .tag = tag,
        .back = lie.header,
        .type = (uint16_t)type,
        .tail = (uint16_t)(lie.request - lie.header - size),
        .family = ANY_FAMILY(heaps),
        .plain = true,
    };
}

/*
 * The record for a block that is being handed out: that of the one that was here before, if nobody holds it any more, or
 * where none was, one that nobody uses. 0 where neither is at hand. Inside the context.
 */
RXP_INLINE uint32_t record_for(struct context *x, uint64_t block) {
    _Atomic uint32_t *place;
    uint32_t number = index_find_place(block, &place);
    const struct record *r = record_at(number);
    if (RXP_LIKELY(number != 0))
        return RXP_LIKELY((record_get(r, RECORD_BLOCK) ^ block) < REGISTRY_GRANULE) &&
                       RXP_LIKELY(record_state(record_get(r, RECORD_STATE)) == RECORD_GHOST)
                   ? number
                   : 0;
    number = place != NULL ? lists_unused(x) : 0;
    if (RXP_UNLIKELY(number == 0))
        return 0;
    record_put(record_at(number), RECORD_BLOCK, block); /* who finds the number looks at it */
    index_put(place, number);
    return number;
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

/* Writes the block, and its record. False: the record is to be had by other means. */
RXP_INLINE bool put_live(struct context *x, const struct record_info *info, unsigned family,
                         struct contents contents) {
    struct record_info entered = *info;
    entered.family = (uint8_t)family;
    block_put_live_as(info, contents.fill, contents.pattern);
    if (RXP_UNLIKELY(!context_enter_easy(x)))
        return false;
    uint32_t number = record_for(x, info->block);
    if (RXP_LIKELY(number != 0)) {
        lists_write(record_at(number), &entered, x);
        x->latest = info->block;
        x->latest_number = number;
    }
    context_leave_easy(x);
    return number != 0;
}

/* --- the block that left last, for the next one that comes --------------------------------------- */

/*
 * Gives back a block whose record `number` is, and notes it: whoever asks for one that the pool counts alike may have it
 * without more questions. False: nothing was done.
 */
RXP_INLINE bool spare_make(struct context *x, uint32_t number, void *memory) {
    x->spare.number = 0;
    if (RXP_UNLIKELY(!quick.backend->release_noted(memory, &x->spare.place)))
        return false;
    x->spare.number = number;
    return true;
}

/*
 * Whether there is one, a plain block of the size, of which `r`, which the context says is its record, speaks: while
 * the pool has a block without a break nobody else has its record.
 */
RXP_INLINE bool spare_is(const struct context *x, const struct record *r, size_t size, bool heaps) {
    return x->spare.number != 0 && record_get(r, RECORD_SIZE) == size &&
           is_plain_freed(record_get(r, RECORD_STATE), RECORD_GHOST, heaps) &&
           record_get(r, RECORD_BLOCK) ==
               (uintptr_t)x->spare.place.memory +
                   (heaps ? record_get(r, RECORD_TAG) >> 32 : BLOCK_HEADER);
}

/*
 * Hands it out, written and entered as LIVE for `site`. NULL: it is not to be had any more. Within the context all the
 * way, since a signal's handler would find it, too.
 */
RXP_INLINE void *spare_use(struct context *x, struct record *r, unsigned family, uint32_t site,
                           uint32_t time, struct contents contents, bool heaps) {
    uint32_t number = x->spare.number;
    if (RXP_UNLIKELY(!context_enter_easy(x)))
        return NULL;
    x->spare.number = 0;
    if (RXP_UNLIKELY(record_at(number) != r || !quick.backend->allocate_again(&x->spare.place))) {
        context_leave_easy(x);
        return NULL;
    }
    uint64_t state = record_step(record_get(r, RECORD_STATE), RECORD_GHOST, RECORD_LIVE);
    const struct record_info info = plain_info(r, record_get(r, RECORD_BLOCK), state, heaps);
    if (heaps)
        state = (state & ~FAMILIES) | family_word(family);
    block_put_live_as(&info, contents.fill, contents.pattern);
    lists_begin(r, site, time, state, x);
    x->latest = info.block;
    x->latest_number = number;
    context_leave_easy(x);
    return (void *)(uintptr_t)info.block;
}

/*
 * A block that was written: the first one in its page, or in the place of one that is held. Where there is no
 * record, check.c says so.
 */
static RXP_NOINLINE void *enter(uint64_t block, uint32_t type, uint32_t size, uint32_t tag,
                                uint32_t site, uint32_t time, const struct caller *c) {
    struct record_info info = fresh_info(block, type, size, tag, lie_of(size, false), false);
    info.alloc_site = site;
    info.time = time;
    return RXP_LIKELY(registry_insert(&info)) ? (void *)(uintptr_t)block : check_hand_out(&info, c);
}

/* At an IRQL that every type allows. */
static RXP_NOINLINE void *allocate_anew(uint32_t type, uint32_t size, uint32_t tag,
                                        const struct caller *c, struct context *x) {
    if (RXP_UNLIKELY(!is_on() || size - 1 >= BLOCK_UNITS_MOST || (type & ~TYPES_MOST) != 0 ||
                     !rules_known(type, tag)))
        return check_allocate_any(type, size, tag, c);
    uint32_t time = (uint32_t)plat_clock_ms();
    struct lie lie = lie_of(size, false);
    uintptr_t memory = whole(quick.backend->allocate(type, lie.request, tag), c);
    uint64_t block = memory + lie.header;
    if (RXP_UNLIKELY(memory == 0))
        return check_allocate_any(type, size, tag, c);
    rxp_assert(KeGetCurrentIrql() <= APC_LEVEL);
    rxp_assert(memory % BLOCK_ALIGNMENT == 0 && memory % PAGE_SIZE + lie.request <= PAGE_SIZE);
    struct record_info info = fresh_info(block, type, size, tag, lie, false);
    info.time = time;
    if (RXP_UNLIKELY(check_seems_live(&info)) && in_use(block, c))
        return check_allocate_any(type, size, tag, c);
    info.alloc_site = site_of(&x->allocated_at, c);
    const struct contents fresh = {quick.fill, BLOCK_WORD_OF(BLOCK_FRESH)};
    if (RXP_UNLIKELY(!put_live(x, &info, 0, fresh)))
        return enter(block, type, size, tag, info.alloc_site, info.time, c);
    return (void *)(uintptr_t)block;
}

/* In the block that left the quarantine last, which was of the same kind. */
static RXP_NOINLINE void *allocate_spare(uint32_t type, uint32_t size, uint32_t tag,
                                         const struct caller *c, struct context *x,
                                         struct record *r) {
    const struct contents fresh = {quick.fill, BLOCK_WORD_OF(BLOCK_FRESH)};
    uint32_t time = (uint32_t)plat_clock_ms(), site = site_of(&x->allocated_at, c);
    void *block = spare_use(x, r, 0, site, time, fresh, false);
    return RXP_LIKELY(block != NULL) ? block : allocate_anew(type, size, tag, c, x);
}

void *check_allocate(uint32_t type, uint32_t size, uint32_t tag, const struct caller *c) {
    struct context *x = context_mine;
    if (RXP_UNLIKELY(!context_is_easy(x)))
        return check_allocate_any(type, size, tag, c);
    /* The rules have allowed a block of the same tag and type already. */
    struct record *r = record_at(x->spare.number);
    return spare_is(x, r, size, false) && (uint32_t)record_get(r, RECORD_TAG) == tag &&
                   (uint16_t)record_get(r, RECORD_STATE) == type && (type & ~TYPES_MOST) == 0
               ? allocate_spare(type, size, tag, c, x, r)
               : allocate_anew(type, size, tag, c, x);
}

/* The same for heap.c. */
static RXP_NOINLINE void *heap_enter(uint64_t block, uint32_t size, unsigned flags, unsigned family,
                                     uint32_t site, uint32_t time) {
    struct record_info info =
        fresh_info(block, NonPagedPoolNx, size, quick.heap_tag, lie_of(size, true), true);
    info.family = (uint8_t)family;
    info.alloc_site = site;
    info.time = time;
    return RXP_LIKELY(registry_insert(&info)) ? (void *)(uintptr_t)block
                                              : check_heap_hand_out(&info, flags);
}

RXP_INLINE struct contents heap_contents(unsigned flags) {
    return (struct contents){flags == 0 ? quick.fill : flags == HEAP_ZERO,
                             flags == 0 ? BLOCK_WORD_OF(BLOCK_FRESH) : 0};
}

RXP_INLINE void *heap_allocate(struct context *x, uint32_t size, struct lie lie, unsigned flags,
                               enum heap_family family, const struct caller *c) {
    uint32_t time = (uint32_t)plat_clock_ms();
    uintptr_t memory = whole(quick.heap_allocate(lie.request, c), c);
    uint64_t block = memory + lie.header;
    if (RXP_UNLIKELY(memory == 0))
        return check_heap_allocate_any(size, BLOCK_ALIGNMENT, flags, family, c);
    rxp_assert(memory % BLOCK_ALIGNMENT == 0);
    struct record_info info = fresh_info(block, NonPagedPoolNx, size, quick.heap_tag, lie, true);
    info.time = time;
    info.alloc_site = heap_site_of(c);
    if (RXP_UNLIKELY(check_seems_live(&info)) && in_use(block, c))
        return check_heap_allocate_any(size, BLOCK_ALIGNMENT, flags, family, c);
    if (RXP_UNLIKELY(!put_live(x, &info, (unsigned)family, heap_contents(flags))))
        return heap_enter(block, size, flags, (unsigned)family, info.alloc_site, time);
    return (void *)(uintptr_t)block;
}

static RXP_NOINLINE void *heap_allocate_anew(uint32_t size, struct context *x, unsigned flags,
                                             enum heap_family family, const struct caller *c) {
    /* The compiler makes one function for each kind of header. */
    return size < BLOCK_SHORT_BELOW
               ? heap_allocate(x, size, lie_behind(BLOCK_SHORT_HEADER, size), flags, family, c)
               : heap_allocate(x, size, lie_behind(BLOCK_HEADER, size), flags, family, c);
}

/* allocate_spare for heap.c. */
static RXP_NOINLINE void *heap_allocate_spare(uint32_t size, struct context *x, unsigned flags,
                                              enum heap_family family, const struct caller *c,
                                              struct record *r) {
    uint32_t time = (uint32_t)plat_clock_ms(), site = heap_site_of(c);
    void *block = RXP_LIKELY((uint32_t)record_get(r, RECORD_ALLOC) == site)
                      ? spare_use(x, r, (unsigned)family, site, time, heap_contents(flags), true)
                      : NULL;
    return RXP_LIKELY(block != NULL) ? block : heap_allocate_anew(size, x, flags, family, c);
}

void *check_heap_allocate(size_t size, size_t alignment, unsigned flags, enum heap_family family,
                          const struct caller *c) {
    struct context *x = context_mine;
    if (RXP_UNLIKELY(!is_on() || size > BLOCK_UNITS_MOST || alignment > BLOCK_ALIGNMENT ||
                     !context_is_easy(x)))
        return check_heap_allocate_any(size, alignment, flags, family, c);
    struct record *r = record_at(x->spare.number);
    return spare_is(x, r, size, true) ? heap_allocate_spare((uint32_t)size, x, flags, family, c, r)
                                      : heap_allocate_anew((uint32_t)size, x, flags, family, c);
}

/* --- free ------------------------------------------------------------------------------------ */

/* A block that was taken. */
struct taken {
    struct record *r;
    uint32_t number;
    uint64_t live; /* its state word before */
};

/* The same for check.c. */
static void as_take(struct take *t, const struct taken *from) {
    t->site = (uint32_t)record_get(from->r, RECORD_FREE);
    t->irql = PASSIVE_LEVEL; /* low enough for what is still to do */
    t->victims = 0;
    t->more = t->surplus = t->told = false;
    t->number = from->number;
    record_read(from->r, from->live, &t->info);
    t->block = t->info.block;
}

static RXP_COLD void finish(struct taken from, const struct caller *c) {
    struct take t;
    as_take(&t, &from);
    check_finish_free(&t, true, c);
}

static RXP_NOINLINE void keep(struct taken from, const struct caller *c) {
    struct take t;
    as_take(&t, &from);
    check_keep(&t, c);
}

/* What a block that came into the quarantine has changed. */
struct exchanged {
    struct record *r; /* of the block that left for it */
    uint32_t number;  /* of that record */
    uint64_t held;    /* its state word before */
    bool more;        /* as in struct take */
    struct counted_block counted;
};

static RXP_COLD void make_way(struct exchanged from, bool told, const struct caller *c) {
    struct take t;
    t.irql = PASSIVE_LEVEL;
    t.victims = 1;
    t.told = told;
    t.counted = from.counted;
    t.more = from.more;
    t.surplus = false;
    record_read(from.r, from.held, &t.victim[0]);
    check_make_way(&t, c);
}

RXP_INLINE void *memory_of(const struct record_info *info) {
    return (void *)(uintptr_t)(info->block - info->back);
}

/*
 * Whether all counts of two blocks are alike for certain, the pool's among them: of a heap's blocks, which have one tag and
 * one type, each site may have its account. The lower half of a state word is the type and the tail.
 */
RXP_INLINE bool is_alike(const struct record *a, uint64_t state_a, const struct record_info *of_a,
                         const struct record *b, uint64_t state_b, const struct record_info *of_b,
                         bool heaps) {
    if (heaps)
        return of_a->size == of_b->size &&
               (uint32_t)record_get(a, RECORD_ALLOC) == (uint32_t)record_get(b, RECORD_ALLOC);
    return of_a->size == of_b->size && of_a->tag == of_b->tag &&
           (uint32_t)state_a == (uint32_t)state_b;
}

/*
 * Takes the oldest block off a queue, as a ghost; `held` is the state word of its record. What the queue holds is not
 * counted yet.
 */
RXP_INLINE struct record_info pop(struct queue *q, struct record *r, uint64_t held, bool heaps) {
    record_put(r, RECORD_STATE, record_step(held, RECORD_HELD, RECORD_GHOST));
    queue_unlink(q, r);
    return plain_info(r, record_get(r, RECORD_BLOCK), held, heaps);
}

/* Puts a block that was taken at the end of one, likewise. */
RXP_INLINE void push(struct context *x, struct queue *q, const struct taken *in) {
    record_put(in->r, RECORD_STATE, record_step(in->live, RECORD_LIVE, RECORD_HELD));
    queue_link(x, q, in->r, in->number);
}

enum outcome {
    IN_THE_WAY,    /* nothing was done */
    HELD_TOO,      /* there was room */
    HELD_FOR,      /* instead of the block that *gone and *out tell */
    HELD_FOR_LIKE, /* the same of one like it, of which *gone has the address alone */
};

/*
 * Puts the block in a queue, and where there is no room takes the oldest one off one. (Record 0 is nobody's: the queue
 * is empty.)
 */
RXP_INLINE enum outcome exchange(struct context *x, const struct taken *in,
                                 const struct record_info *info, bool heaps, struct exchanged *out,
                                 struct record_info *gone) {
    struct queue *mine = &x->held[info->type & TAKE_PAGED];
    if (RXP_UNLIKELY(!context_enter_easy(x)))
        return IN_THE_WAY;
    if (RXP_UNLIKELY(record_get(in->r, RECORD_STATE) !=
                     record_step(in->live, RECORD_LIVE, RECORD_FILLING))) {
        context_leave_easy(x);
        return IN_THE_WAY;
    }
    if (x->room >= (int64_t)take_held_bytes(info)) {
        push(x, mine, in);
        queue_count(x, info, 1);
        quick.backend->hold_block(memory_of(info)); /* before anybody could take it */
        context_leave_easy(x);
        return HELD_TOO;
    }
    struct queue *q = queue_of_victims(x, PASSIVE_LEVEL);
    out->number = q->head;
    out->r = record_at(q->head);
    out->held = record_get(out->r, RECORD_STATE);
    bool plain = is_plain_freed(out->held, RECORD_HELD, heaps);
    if (RXP_UNLIKELY(!plain) || RXP_UNLIKELY(--x->patience == 0)) {
        x->patience += plain; /* to be seen, and set, where it is asked */
        context_leave_easy(x);
        return IN_THE_WAY;
    }
    push(x, mine, in);
    *gone = pop(q, out->r, out->held, heaps);
    bool alike = is_alike(in->r, in->live, info, out->r, out->held, gone, heaps);
    if (!alike) {
        queue_count(x, info, 1);
        queue_count(x, gone, -1);
        out->counted = quick.backend->counted(memory_of(info)); /* asked in time, likewise */
    }
    out->more = x->room < 0;
    context_leave_easy(x);
    return RXP_LIKELY(alike) ? HELD_FOR_LIKE : HELD_FOR;
}

RXP_INLINE void release(void *memory, bool heaps) {
    if (!heaps || !quick.backend->release(memory))
        ExFreePool(memory);
}

RXP_INLINE void release_held(struct counted_block in, void *memory, bool heaps) {
    if (heaps) {
        if (RXP_UNLIKELY(!quick.backend->release_held(in, memory)))
            ExFreePool(memory);
    } else {
        quick.backend->hold_instead(in, memory);
        ExFreePool(memory);
    }
}

/* Lets blocks leave the quarantine until there is room. False: one of another kind is in the way. */
RXP_INLINE bool let_leave(struct context *x, bool heaps, const struct caller *c) {
    for (bool more = true; more;) {
        if (RXP_UNLIKELY(!context_enter_easy(x)))
            return false;
        struct queue *q = queue_of_victims(x, PASSIVE_LEVEL);
        struct record *r = record_at(q->head);
        uint64_t held = record_get(r, RECORD_STATE);
        more = x->room < 0;
        if (RXP_UNLIKELY(!more || !is_plain_freed(held, RECORD_HELD, heaps))) {
            context_leave_easy(x);
            return !more;
        }
        const struct record_info gone = pop(q, r, held, heaps);
        queue_count(x, &gone, -1);
        more = x->room < 0;
        context_leave_easy(x);
        if (RXP_LIKELY(block_freed_is_whole(&gone, quick.fill))) {
            release_held((struct counted_block){0, 0}, memory_of(&gone), heaps);
        } else {
            struct record_info info;
            record_read(r, held, &info);
            check_evict(&info, c);
        }
    }
    return true;
}

static RXP_NOINLINE bool let_leave_of_pool(struct context *x, const struct caller *c) {
    return let_leave(x, false, c);
}

static RXP_NOINLINE bool let_leave_of_heap(struct context *x, const struct caller *c) {
    return let_leave(x, true, c);
}

RXP_INLINE void let_go_on(struct context *x, bool heaps, const struct caller *c) {
    if (RXP_UNLIKELY(!(heaps ? let_leave_of_heap(x, c) : let_leave_of_pool(x, c))))
        check_go_on(c);
}

bool quick_leave(const struct caller *c) {
    struct context *x = context_mine;
    return is_on() && context_is_easy(x) &&
           (quick.heap_tag != 0 ? let_leave_of_heap(x, c) : let_leave_of_pool(x, c));
}

/* False: nothing was done. */
RXP_INLINE bool take(uint64_t block, uint32_t tag, unsigned family, bool heaps, struct context *x,
                     struct taken *out, const struct caller *c) {
    RXP_PREFETCH((const void *)(uintptr_t)(block - BLOCK_HEADER)); /* read as soon as it is taken */
    out->number = block == x->latest ? x->latest_number : index_find(block);
    out->r = record_at(out->number);
    if (RXP_UNLIKELY(out->number == 0 || record_get(out->r, RECORD_BLOCK) != block))
        return false;
    out->live = record_get(out->r, RECORD_STATE);
    if (RXP_UNLIKELY(!is_plain(out->live, RECORD_LIVE, family)) ||
        (tag != 0 && !take_same_tag(tag, (uint32_t)record_get(out->r, RECORD_TAG))))
        return false;
    uint32_t site = heaps ? heap_site_of(c) : site_of(&x->freed_at, c);
    if (RXP_UNLIKELY(!record_take(out->r, out->live)))
        return false;
    record_put(out->r, RECORD_FREE, record_pair(site, x->thread));
    return true;
}

/* What is left of a free of a block that was taken. */
RXP_INLINE void end(const struct taken *in, uint64_t block, struct context *x, bool heaps,
                    const struct caller *c) {
    struct exchanged out;
    struct record_info gone;
    const struct record_info info = plain_info(in->r, block, in->live, heaps);
    if (RXP_UNLIKELY(!block_live_is_whole(&info))) {
        finish(*in, c);
        return;
    }
    block_put_ended(&info, quick.fill);
    enum outcome outcome = exchange(x, in, &info, heaps, &out, &gone);
    if (RXP_LIKELY(outcome == HELD_FOR_LIKE)) {
        struct record_info like = info;
        like.block = gone.block;
        if (RXP_UNLIKELY(!block_freed_is_whole(&like, quick.fill))) {
            make_way(out, false, c);
            return;
        }
        if (RXP_UNLIKELY(!spare_make(x, out.number, memory_of(&like))))
            release(memory_of(&like), heaps);
    } else if (outcome == HELD_FOR) {
        if (RXP_UNLIKELY(!block_freed_is_whole(&gone, quick.fill))) {
            make_way(out, true, c);
            return;
        }
        release_held(out.counted, memory_of(&gone), heaps);
    } else if (RXP_UNLIKELY(outcome == IN_THE_WAY)) {
        keep(*in, c);
        return;
    } else {
        return;
    }
    if (out.more)
        let_go_on(x, heaps, c);
}

/* False: nothing was done. */
RXP_INLINE bool free_block(uint64_t block, uint32_t tag, unsigned family, bool heaps,
                           const struct caller *c) {
    struct context *x = context_mine;
    struct taken in;
    if (RXP_UNLIKELY(!context_is_easy(x) || !take(block, tag, family, heaps, x, &in, c)))
        return false;
    end(&in, block, x, heaps, c);
    return true;
}

void check_free(void *block, uint32_t tag, const struct caller *c) {
    if (RXP_UNLIKELY(!is_on() || KeGetCurrentIrql() > APC_LEVEL ||
                     !free_block((uintptr_t)block, tag, 0, false, c)))
        check_free_any(block, tag, c);
}

void check_heap_free(void *block, enum heap_family family, const struct caller *c) {
    if (RXP_UNLIKELY(!is_on() || !free_block((uintptr_t)block, 0, (unsigned)family, true, c)))
        check_heap_free_any(block, family, c);
}

bool quick_move(void *block, void *to, size_t size, unsigned family, const struct caller *c) {
    struct context *x = context_mine;
    struct taken in;
    if (RXP_UNLIKELY(!is_on() || !context_is_easy(x) ||
                     !take((uintptr_t)block, 0, family, true, x, &in, c)))
        return false;
    size_t had = (size_t)record_get(in.r, RECORD_SIZE);
    memcpy(to, block, had < size ? had : size);
    end(&in, (uintptr_t)block, x, true, c);
    return true;
}
