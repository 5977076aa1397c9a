/*
 * A slab's life: taken from its range, carved step by step, in and out of its bin, retired when empty. What other
 * threads do to it meanwhile goes through the remote word alone; remote.c holds that half of the protocol.
 *
 * Where a slab in service stands, by flags and remote state (the owner's view):
 *
 *   CURRENT                      its bin allocates from it            OWNED, FULL, NOTIFIED
 *   LINKED                       in its bin's partial list            OWNED, FULL, NOTIFIED
 *   neither                      full                                 FULL, NOTIFIED
 *
 * and any of them with ORPHAN while the heap has no thread. NOTIFIED beside a flag means that the owner found
 * room by itself while a notice was on its way; FULL beside one, that it did so before there was any. Where slabs hold few
 * blocks they share a list (share.h): the first stays CURRENT, and a sharer that has lent all it has is one that is full.
 */
#include "base/options.h"
#include "ex/account.h"
#include "ex/cold.h"
#include "ex/look.h"
#include "ex/range.h"
#include "ex/remote.h"
#include "ex/share.h"
#include "ex/slab_parts.h"
#include "ex/special.h"

/* Where pages come ahead: as many at a time. */
#define AHEAD (4 * POOL_PAGE_SIZE)
/* Of a bin, before another one may come from a huge page. */
#define DENSE_SLABS 4u
/* Events for each time that the clock is asked. */
#define CLOCK_EVERY 16u
/* Carved pages of empty slabs that a heap keeps in its bins until the next sweep: a MiB, or two for each slab it has. */
#define IDLE_PAGES 256u
#define IDLE_PAGES_EACH 2u
/* Where less than this share of a heap's slabs holds a block, it counts as emptied. */
#define EMPTIED_SHARE 4u
/* Slabs that tell how much of a heap is free. */
#define ROOM_LOOKS 64u

_Atomic bool slab_writes_all;

static bool slab_of_pages(const struct class_info *c) {
    return c->unit_mask != 0xFFFF;
}

unsigned slab_uncarved(const struct slab *slab) {
    const struct class_info *c = slab_class(slab);
    return c->capacity - (slab_of_pages(c) ? (unsigned)slab->carved * c->per_unit : slab->carved);
}

static unsigned slab_index(const struct slab *slab) {
    return range_slab_id(slab) & ((1u << SLAB_ID_BITS) - 1);
}

/* Pages that are there: those that were when it was taken may be others than those that were carved, or the same. */
static unsigned slab_dirty_pages(const struct slab *slab) {
    unsigned carved = slab_carved_pages(slab);
    return carved > slab->came_dirty ? carved : slab->came_dirty;
}

unsigned slab_carved_page(const struct slab *slab, unsigned k) {
    return (slab_index(slab) + k) % 16;
}

/* --- carving --------------------------------------------------------------------------------------- */

/* Links `count` blocks from `start`, beginning with block `first` and going round. */
static void carve_blocks(struct slab *slab, char *start, unsigned count, unsigned first) {
    uint32_t size = slab->block_size;
    struct free_block *head = slab->free;

    for (unsigned i = count; i-- > 0;) {
        unsigned at = first + i;
        struct free_block *b =
            (struct free_block *)(start + (size_t)(at < count ? at : at - count) * size);
        b->next = head;
        head = b;
    }
    slab->free = head;
}

/*
 * Blocks at [from, to) are about to be written: a fault for each page costs as much again as the page. Of a bin's first slab
 * the first pages come singly, since they may be all that it needs.
 */
static void carve_ahead(const struct slab *slab, char *base, uint32_t from, uint32_t to) {
    uint32_t first = (uint32_t)rxp_round_up(from, AHEAD), end = (uint32_t)rxp_round_up(to, AHEAD);

    if ((slab->flags & SLAB_AHEAD) && first < end &&
        (!(slab->flags & SLAB_FIRST) || slab_carved_pages(slab) >= AHEAD / POOL_PAGE_SIZE))
        plat_populate(base + first, end - first);
}

/*
 * The next page's worth of blocks; false when all are carved. Where a slab starts, by page and by block, goes by its
 * number: slabs that hold a few blocks each would otherwise share the same few cache sets.
 */
bool slab_carve(struct slab *slab) {
    const struct class_info *c = slab_class(slab);
    char *base = (char *)range_slab_base(slab);
    unsigned left = slab_uncarved(slab);

    if (left == 0)
        return false;
    if (slab_of_pages(c)) {
        unsigned number = slab_index(slab), page = slab_carved_page(slab, slab->carved);
        carve_ahead(slab, base, page * POOL_PAGE_SIZE, (page + 1) * POOL_PAGE_SIZE);
        carve_blocks(slab, base + page * POOL_PAGE_SIZE, c->per_unit, number * 7 % c->per_unit);
        slab->carved++;
    } else {
        unsigned count = left < c->step ? left : c->step;
        uint32_t from = (uint32_t)slab->carved * c->block_size;
        carve_ahead(slab, base, from, from + count * c->block_size);
        carve_blocks(slab, base + (size_t)slab->carved * c->block_size, count, 0);
        slab->carved = (uint16_t)(slab->carved + count);
    }
    return true;
}

/* --- bins ------------------------------------------------------------------------------------------ */

void idle_forget(struct heap *heap, struct slab *slab) {
    if (!(slab->flags & SLAB_IDLE))
        return;
    heap->idle_pages -= slab_carved_pages(slab);
    heap->idle_slabs--;
    slab->flags &= (uint16_t)~SLAB_IDLE;
}

void bin_link(struct binset *set, struct slab *slab, bool at_head) {
    uint32_t *first = &set->partial[slab->size_class], *last = &set->partial_last[slab->size_class];
    uint32_t id = range_slab_id(slab), next = at_head ? *first : 0, prev = at_head ? 0 : *last;

    rxp_assert(!(slab->flags & (SLAB_LINKED | SLAB_CURRENT)));
    slab->flags |= SLAB_LINKED;
    slab->bin_next = next;
    slab->bin_prev = prev;
    *(prev == 0 ? first : &range_slab_by_id(prev)->bin_next) = id;
    *(next == 0 ? last : &range_slab_by_id(next)->bin_prev) = id;
}

void bin_unlink(struct heap *heap, struct binset *set, struct slab *slab) {
    uint32_t *first = &set->partial[slab->size_class], *last = &set->partial_last[slab->size_class];
    uint32_t next = slab->bin_next, prev = slab->bin_prev;

    rxp_assert(slab->flags & SLAB_LINKED);
    idle_forget(heap, slab);
    slab->flags &= (uint16_t)~SLAB_LINKED;
    *(prev == 0 ? first : &range_slab_by_id(prev)->bin_next) = next;
    *(next == 0 ? last : &range_slab_by_id(next)->bin_prev) = prev;
    slab->bin_next = slab->bin_prev = 0;
}

void bin_set_current(struct heap *heap, struct binset *set, struct slab *slab) {
    slab->flags |= SLAB_CURRENT;
    slab_look_in(slab, look_after(heap, slab, (uint32_t)slab_live(slab)));
    set->current[slab->size_class] = slab;
}

static void bin_clear_current(struct heap *heap, struct binset *set, struct slab *slab) {
    idle_forget(heap, slab);
    look_no_more(heap, slab);
    slab->flags &= (uint16_t)~SLAB_CURRENT;
    set->current[slab->size_class] = &engine_no_slab;
}

static void heap_link(struct heap *heap, struct slab *slab) {
    heap->slab_count++;
    slab->heap_prev = 0;
    slab->heap_next = heap->slabs;
    if (heap->slabs != 0)
        range_slab_by_id(heap->slabs)->heap_prev = range_slab_id(slab);
    heap->slabs = range_slab_id(slab);
}

static void heap_unlink(struct heap *heap, struct slab *slab) {
    heap->slab_count--;
    if (slab->heap_prev != 0)
        range_slab_by_id(slab->heap_prev)->heap_next = slab->heap_next;
    else
        heap->slabs = slab->heap_next;
    if (slab->heap_next != 0)
        range_slab_by_id(slab->heap_next)->heap_prev = slab->heap_prev;
    slab->heap_next = slab->heap_prev = 0;
}

/* --- side arrays -------------------------------------------------------------------------------------- */

/* Those of retired slabs, by class; the first word links. Under the accounts lock. */
static struct side_spare { struct side_spare *next; } * side_spares[2][CLASSES_MAX];

static void *side_take(enum class_layout layout, unsigned class) {
    engine_lock(LOCK_ACCOUNTS);
    struct side_spare *side = side_spares[layout][class];
    if (side != NULL)
        side_spares[layout][class] = side->next;
    engine_unlock(LOCK_ACCOUNTS);
    if (side == NULL)
        side = meta_alloc(SIDE_ENTRIES(engine_classes.info[layout][class].block_size) *
                          sizeof(uint32_t));
    if (side == NULL)
        return NULL;
    side->next = NULL; /* the rest says so already: every block was free when it retired */
    *(uint32_t *)side = SIDE_FREE;
    return side;
}

static void side_give(enum class_layout layout, unsigned class, void *memory) {
    struct side_spare *side = memory;
    engine_lock(LOCK_ACCOUNTS);
    side->next = side_spares[layout][class];
    side_spares[layout][class] = side;
    engine_unlock(LOCK_ACCOUNTS);
}

uint32_t slab_side_account(const struct slab *slab, const void *block) {
    uint32_t entry = STATE_LOAD(side_of(slab, block));
    return (uint16_t)entry == (uint16_t)(uintptr_t)block ? entry >> SIDE_SHIFT : 0;
}

/*
 * The owner does without the locked instruction, which would keep the next call's cache misses from overlapping with this
 * one's (a third of the time of a cold free), unless told to be strict: then two threads that free one block at the same
 * instant are told apart too.
 */
bool slab_side_clear(struct slab *slab, const void *block, uint32_t account, bool owned) {
    uint32_t seen = side_entry(account, block);

    if (owned && options_get()->strict != OPTIONS_STRICT_ALL) {
        STATE_STORE(side_of(slab, block), SIDE_FREE);
        return true;
    }
    return atomic_compare_exchange_strong_explicit(side_of(slab, block), &seen, SIDE_FREE,
                                                   memory_order_relaxed, memory_order_relaxed);
}

/* --- in and out of service ------------------------------------------------------------------------------ */

/* Readers skip a descriptor whose generation is odd, and read again where it moved. */
static void generation_open(struct slab *slab) {
    /* An exchange and no fence, which TSan does not know: nothing written behind it is seen before it. */
    atomic_fetch_add(&slab->generation, 1);
}

static void generation_close(struct slab *slab) {
    atomic_store_explicit(&slab->generation, STATE_LOAD(&slab->generation) + 1,
                          memory_order_release);
}

/* Under strict=1 a free of a mixed slab's block fails cold.h's compare too. */
static uint32_t owner_of_mixed(void) {
    return options_get()->strict == OPTIONS_STRICT_ALL ? OWNER_SLOW | OWNER_STRICT : OWNER_SLOW;
}

static void slab_fill_in(struct slab *slab, const struct heap *heap, const struct binset *set,
                         unsigned class) {
    const struct class_info *c = &engine_classes.info[set->layout][class];
    range_give_label(slab);
    struct slab_label *label = slab_label(slab);
    bool mixed = set->account == 0;

    slab->free = NULL;
    STATE_STORE(&slab->allocs, 0);
    STATE_STORE(&slab->freed, 0);
    slab->reciprocal = label->reciprocal = c->reciprocal;
    label->unit_mask = c->unit_mask;
    label->limit = c->limit;
    label->tag = mixed ? 0 : account_at(set->account)->tag;
    label->slab = label->list = (uintptr_t)slab;
    slab->block_size = c->block_size;
    if (mixed)
        slab->flow_unit = FLOW_OF(c->block_size);
    STATE_STORE(&slab->account, (uint16_t)set->account);
    slab->size_class = (uint8_t) class;
    slab->layout = (uint8_t)set->layout;
    slab->flags = 0;
    slab->carved = 0;
    slab->collected = 0;
    slab->looks = slab->seldom = 0;
    slab->sampled = 0;
    slab->bin_next = slab->bin_prev = 0;
    STATE_STORE(&slab->remote, remote_word(0, REMOTE_OWNED, 0));
    STATE_STORE(&label->owner, heap->public.id | (mixed ? owner_of_mixed() : 0));
    STATE_STORE(&slab->kind, mixed ? SLAB_MIXED : SLAB_OWN);
}

/*
 * Whether all pages of a bin's next slab will be written, if it is filled. Of large blocks there may be some that nobody
 * writes, however many blocks there are.
 */
static bool is_dense(const struct binset *set, unsigned class) {
    return atomic_load_explicit(&slab_writes_all, memory_order_relaxed) ||
           engine_classes.info[set->layout][class].block_size <= POOL_PAGE_SIZE;
}

/* It most likely is where the bin has filled some already. */
static struct slab *slab_take(const struct binset *set, unsigned class, struct range_dirt *dirt) {
    return set->slabs[class] >= DENSE_SLABS && is_dense(set, class)
               ? range_take_dense(dirt)
               : range_take_dirt(1, SLAB_SIZE, dirt);
}

struct slab *slab_new(struct heap *heap, struct binset *set, unsigned class) {
    bool mixed = set->account == 0;
    struct range_dirt dirt;
    void *side = mixed ? side_take(set->layout, class) : NULL;
    struct slab *slab = mixed && side == NULL ? NULL : slab_take(set, class, &dirt);

    if (slab == NULL) {
        if (side != NULL)
            side_give(set->layout, class, side);
        return NULL;
    }
    generation_open(slab);
    slab_fill_in(slab, heap, set, class);
    slab->came_dirty = (uint8_t)dirt.pages;
    slab->flags = (uint16_t)((dirt.pages == 0 && is_dense(set, class) ? SLAB_AHEAD : 0) |
                             (set->slabs[class] == 0 ? SLAB_FIRST : 0));
    if (set->slabs[class] < UINT8_MAX)
        set->slabs[class]++;
    if (mixed)
        slab->side = (uintptr_t)side;
    generation_close(slab);
    heap_link(heap, slab);
    return slab;
}

static void slab_hide(struct slab *slab) {
    generation_open(slab);
    STATE_STORE(&slab_label(slab)->owner, 0);
    STATE_STORE(&slab->kind, SLAB_NONE);
    STATE_STORE(&slab->account, 0);
    slab->flags = 0;
    generation_close(slab);
}

void slab_publish_span(struct slab *slab, uint32_t account, uint32_t tag, uint64_t bytes) {
    generation_open(slab);
    slab->span_bytes = bytes;
    range_give_label(slab);
    slab_label(slab)->tag = tag;
    slab->block_size = 0;
    STATE_STORE(&slab->account, (uint16_t)account);
    STATE_STORE(&slab_label(slab)->owner, OWNER_SLOW);
    STATE_STORE(&slab->kind, SLAB_SPAN);
    generation_close(slab);
}

bool slab_hide_span(struct slab *slab) {
    uint8_t kind = SLAB_SPAN;

    if (!atomic_compare_exchange_strong(&slab->kind, &kind, SLAB_NONE))
        return false;
    generation_open(slab);
    STATE_STORE(&slab_label(slab)->owner, 0);
    STATE_STORE(&slab->account, 0);
    generation_close(slab);
    return true;
}

/* Out of its bin, folded into its account, back to its range. Empty, not NOTIFIED, and the caller's alone. */
static void slab_retire(struct heap *heap, struct slab *slab) {
    struct binset *set = heap_set_of(heap, slab);
    uint32_t account = STATE_LOAD(&slab->account);
    unsigned dirty = slab_dirty_pages(slab);
    uint64_t pushes = remote_close(slab);

    bool shares = slab->flags & SLAB_SHARES;

    rxp_assert(!(slab->flags & SLAB_LEADS));
    rxp_assert(shares ||
               STATE_LOAD(&slab->allocs) == FREED_COUNT(STATE_LOAD(&slab->freed)) + pushes);
    if (slab->flags & SLAB_LINKED)
        bin_unlink(heap, set, slab);
    if (slab->flags & SLAB_CURRENT)
        bin_clear_current(heap, set, slab);
    heap_unlink(heap, slab);
    if (set->slabs[slab->size_class] < UINT8_MAX)
        set->slabs[slab->size_class]--;
    if (account == 0) {
        side_give(slab->layout, slab->size_class, (void *)slab->side);
        slab_hide(slab);
    } else {
        account_fold_begin(account_at(account));
        slab_hide(slab);
        if (shares)
            share_leave(heap, set, slab, pushes);
        account_fold_end(account_at(account), shares ? 0 : STATE_LOAD(&slab->allocs),
                         shares ? 0 : FREED_COUNT(STATE_LOAD(&slab->freed)) + pushes);
    }
    if (range_return(slab, 1, dirty))
        heap_rest();
}

static bool slab_notified(const struct slab *slab) {
    return REMOTE_STATE(STATE_LOAD(&slab->remote)) == REMOTE_NOTIFIED;
}

static bool slab_empty(const struct slab *slab) {
    return slab_live(slab) == 0 && !slab_notified(slab);
}

/*
 * An empty slab of a heap that keeps few such pages stays where it is, or behind those with blocks in use: a loop that
 * fills and empties the same slabs would otherwise take them from the range and carve them each time round.
 */
static bool slab_keep_idle(struct heap *heap, struct binset *set, struct slab *slab) {
    uint32_t pages = heap->idle_pages + slab_carved_pages(slab);

    if (pages > IDLE_PAGES && pages > IDLE_PAGES_EACH * heap->slab_count)
        return false;
    if (STATE_LOAD(&heap->public.state) != HEAP_TAKEN)
        return false;
    if (slab->flags & SLAB_LINKED)
        bin_unlink(heap, set, slab);
    if (!(slab->flags & SLAB_CURRENT))
        bin_link(set, slab,
                 slab->block_size > SLAB_SIZE / 2); /* of one block: the one in the caches */
    slab->flags |= SLAB_IDLE;
    heap->idle_pages = pages;
    heap->idle_slabs++;
    /* The last one to empty is kept here, and so returns nothing to the range, which would notice. */
    if (heap->idle_slabs > heap->slab_count - heap->slab_count / EMPTIED_SHARE && range_above())
        heap_rest();
    return true;
}

void slab_settle(struct heap *heap, struct binset *set, struct slab *slab) {
    if (slab->flags & SLAB_LEADS)
        return; /* its list is in use, and counts for others too */
    uint64_t live = slab_live(slab);

    if (live == 0 && !(slab->flags & SLAB_IDLE) && !slab_notified(slab) &&
        !slab_keep_idle(heap, set, slab)) {
        slab_retire(heap, slab);
        return;
    }
    /* A sharer waits behind the others: until its turn comes pushes bring more, and each turn costs locked instructions. */
    if (!(slab->flags & (SLAB_LINKED | SLAB_CURRENT)))
        bin_link(set, slab, !(slab->flags & SLAB_SHARES));
    if (slab->flags & SLAB_CURRENT)
        live = look_after(heap, slab, (uint32_t)live);
    slab_look_in(slab, look_when_empty(live));
}

/* --- allocation's slow path ------------------------------------------------------------------------------- */

/* To the end of the list, behind those with blocks to reuse: with pages left, or no longer to be allocated from. */
static RXP_NOINLINE bool slab_put_back(struct heap *heap, struct binset *set, struct slab *slab) {
    uint64_t live = slab_live(slab);

    bin_clear_current(heap, set, slab);
    bin_link(set, slab, false);
    slab_look_in(slab, look_when_empty(live));
    return true;
}

/* The current slab has no free block. What others gave back comes first, then slabs with room, then pages never used. */
RXP_INLINE bool slab_put_aside(struct heap *heap, struct binset *set, struct slab *slab) {
    const struct class_info *c = slab_class(slab);

    if (RXP_UNLIKELY(slab->carved < c->carvings))
        return slab_put_back(heap, set, slab);
    if (!remote_make_full(slab, c->eighth))
        return false;
    bin_clear_current(heap, set, slab);
    return true;
}

/* Of a current slab: what counts as seldom looked at is more then. */
static bool slab_carve_more(struct heap *heap, struct slab *slab) {
    if (!slab_carve(slab))
        return false;
    if (slab->flags & SLAB_SELDOM)
        slab_look_in(slab, look_after(heap, slab, (uint32_t)slab_live(slab)));
    return true;
}

bool slab_has_block(struct slab *slab) {
    return slab->free != NULL || remote_collect(slab);
}

/* There is none to be had: what the heap keeps empty for its other bins' next need is needed now. */
RXP_COLD struct slab *slab_new_again(struct heap *heap, struct binset *set, unsigned class) {
    uint64_t own = set->own;

    if (heap->idle_slabs == 0)
        return NULL;
    slab_sweep(heap);
    set->own |= own & (uint64_t)1 << class; /* which the sweep found without a slab */
    return slab_new(heap, set, class);
}

/* The current slab stays, and leads those that come after it. */
static bool slab_refill_sharing(struct heap *heap, struct binset *set, unsigned class) {
    heap->filled++;
    heap_tick(heap); /* may retire it, and what has ended its sharing */
    const struct slab *slab = set->current[class];
    if (slab == &engine_no_slab)
        return slab_refill(heap, set, class);
    return slab->free != NULL || share_refill(heap, set, class);
}

bool slab_refill(struct heap *heap, struct binset *set, unsigned class) {
    slab_drain(heap); /* first: it may retire the current slab */
    struct slab *slab = set->current[class];
    if (slab != &engine_no_slab) {
        special_look(heap, slab);
        idle_forget(heap, slab);
        if (slab_has_block(slab) || (set->partial[class] == 0 && slab_carve_more(heap, slab))) {
            if (slab->flags & SLAB_LEADS)
                share_filled(set, slab);
            return true;
        }
        if (bin_shares(set, class))
            return slab_refill_sharing(heap, set, class);
        if (!slab_put_aside(heap, set, slab))
            return true;
        heap->filled++;
    }
    heap_tick(heap);
    while (set->partial[class] != 0) {
        slab = range_slab_by_id(set->partial[class]);
        bin_unlink(heap, set, slab);
        bin_set_current(heap, set, slab);
        if (slab_has_block(slab) || slab_carve(slab) || !slab_put_aside(heap, set, slab))
            return true;
    }
    slab = slab_new(heap, set, class);
    if (slab == NULL)
        slab = slab_new_again(heap, set, class);
    if (slab == NULL)
        return false;
    bin_set_current(heap, set, slab);
    return slab_carve(slab);
}

void *slab_take_mixed(struct heap *heap, uint64_t alias, uint32_t account, enum class_layout layout,
                      unsigned class) {
    struct binset *set = &heap->mixed[layout];
    struct free_block *block = fast_take(set->current[class]);

    if (block == NULL) {
        if (!slab_refill(heap, set, class))
            return NULL;
        block = fast_take(set->current[class]);
    }
    struct slab *slab = set->current[class];
    STATE_STORE(side_of(slab, block), side_entry(account, block));
    if (flow_in(heap, account, slab->block_size))
        heap_look(heap, alias, account);
    return block;
}

/* --- free's slow path ----------------------------------------------------------------------------------------- */

/*
 * A full slab has a block again. Where its bin's current slab is dry it takes that one's place at once: the next allocation
 * would do the same, by a slow path and through the list. Of large classes, whose slabs hold a few blocks, that is every other call.
 */
static void slab_come_next(struct heap *heap, struct binset *set, struct slab *slab) {
    struct slab *current = set->current[slab->size_class];

    if (current != &engine_no_slab &&
        (slab_has_block(current) || !slab_put_aside(heap, set, current)))
        return;
    slab->flags |= SLAB_CURRENT;
    set->current[slab->size_class] = slab;
}

/* Its blocks stay; the next ones come from mixed slabs, unless the class earns slabs of its own again. */
static void disown_bin(struct heap *heap, struct binset *set, unsigned class) {
    struct slab *slab = set->current[class];

    heap_disown(set, class);
    if (slab != &engine_no_slab)
        slab_put_back(heap, set, slab);
}

static RXP_COLD void slab_disperse(struct heap *heap) {
    share_end(heap);
    for (struct binset *set = heap->sets; set != NULL; set = set->next)
        if (set->account != 0) {
            set->first = set->warm = false;
            for (unsigned c = 0; c < engine_classes.count[set->layout]; c++)
                disown_bin(heap, set, c);
        }
    heap->crowded = true;
}

/* A slow path that comes by often need not ask the clock each time. */
static void heap_tick_seldom(struct heap *heap) {
    if (heap->looks++ % CLOCK_EVERY == 0)
        heap_tick(heap);
}

/* Before freed is full: whole 2^32 of allocs and frees, whose low halves others remember, go into the account. */
static RXP_COLD void slab_carry(struct slab *slab) {
    uint32_t account = STATE_LOAD(&slab->account);
    uint64_t freed = STATE_LOAD(&slab->freed), n = FREED_COUNT(freed) & ~(uint64_t)UINT32_MAX;

    if (account != 0)
        account_fold_begin(account_at(account));
    generation_open(slab);
    STATE_STORE(&slab->allocs, STATE_LOAD(&slab->allocs) - n);
    STATE_STORE(&slab->freed, freed - n);
    generation_close(slab);
    if (account != 0)
        account_fold_end(account_at(account), n, n);
}

void slab_free_event(struct slab *slab) {
    struct heap *heap = engine_thread.heap;
    struct binset *set = heap_set_of(heap, slab);

    if (RXP_UNLIKELY(STATE_LOAD(&slab->freed) & FREED_MOST))
        slab_carry(slab);
    special_look(heap, slab);
    if ((slab->flags & (SLAB_SELDOM | SLAB_CURRENT)) == (SLAB_SELDOM | SLAB_CURRENT))
        heap_peek(heap);
    if (slab->flags & SLAB_LEADS) {
        share_look(heap, set, slab);
        heap_tick_seldom(heap);
        return;
    }
    if (look_finds_crowd(heap))
        slab_disperse(heap);
    if (!(slab->flags & (SLAB_LINKED | SLAB_CURRENT)) && !bin_shares(set, slab->size_class))
        slab_come_next(heap, set, slab);
    slab_settle(heap, set, slab);
    heap_tick_seldom(heap);
}

void slab_drain(struct heap *heap) {
    uint32_t id = STATE_LOAD(&heap->notify);

    if (RXP_LIKELY(id == 0))
        return;
    id = atomic_exchange(&heap->notify, 0);
    while (id != 0) {
        struct slab *slab = range_slab_by_id(id);
        id = slab->notify_next; /* before the state lets it be notified again */
        remote_set_state(slab, REMOTE_OWNED);
        slab_settle(heap, heap_set_of(heap, slab), slab);
    }
}

static void sweep_bin(struct heap *heap, struct binset *set, unsigned class) {
    struct slab *slab = set->current[class];

    if (slab != &engine_no_slab)
        idle_forget(heap, slab);
    if (slab != &engine_no_slab && slab_empty(slab))
        slab_retire(heap, slab);
    else if (slab == &engine_no_slab && set->partial[class] == 0)
        heap_disown(set, class); /* unused since the last sweep: to be earned again */
    for (uint32_t id = set->partial[class]; id != 0;) {
        slab = range_slab_by_id(id);
        id = slab->bin_next;
        if (slab_empty(slab))
            slab_retire(heap, slab);
    }
}

void slab_sweep(struct heap *heap) {
    slab_drain(heap);
    share_end(heap);
    heap->crowded = false;
    for (struct binset *set = heap->sets; set != NULL; set = set->next) {
        set->warm = false;
        for (unsigned c = 0; c < engine_classes.count[set->layout]; c++)
            sweep_bin(heap, set, c);
    }
}

bool heap_sweep_due(struct heap *heap, uint64_t now) {
    if (RXP_LIKELY(now < heap->next_sweep))
        return false;
    heap->next_sweep = now + options_get()->purge_ms;
    return true;
}

/* Now and then, from slow paths only: what has been idle for purge= milliseconds goes back to the system. */
void heap_tick(struct heap *heap) {
    uint64_t now = plat_clock_ms();

    heap->ticked_at = now;
    if (RXP_UNLIKELY(heap->rest_again != 0 && now >= heap->rest_again))
        heap_rest();
    if (!heap_sweep_due(heap, now))
        return;
    slab_sweep(heap);
    range_purge(false);
}

/* --- exit, adoption, fork ------------------------------------------------------------------------------------- */

/* Calls each(heap, slab), which may retire the slab. */
static void heap_each_slab(struct heap *heap, void (*each)(struct heap *, struct slab *)) {
    for (uint32_t id = heap->slabs; id != 0;) {
        struct slab *slab = range_slab_by_id(id);
        id = slab->heap_next;
        each(heap, slab);
    }
}

/* A push may empty the slab before it is an orphan, and then nobody would be told: look again behind the change. */
static void slab_orphan(struct heap *heap, struct slab *slab) {
    if (remote_become_orphan(slab) && slab_live(slab) == 0)
        slab_retire(heap, slab);
}

void slab_orphan_notified(struct heap *heap) {
    uint32_t id = atomic_exchange(&heap->notify, 0);
    while (id != 0) {
        struct slab *slab = range_slab_by_id(id);
        id = slab->notify_next;
        remote_set_state(slab, REMOTE_ORPHAN);
        if (slab_live(slab) == 0)
            slab_retire(heap, slab);
    }
}

void slab_retire_orphan(struct heap *heap, struct slab *slab) {
    slab_retire(heap, slab);
}

void slab_orphan_all(struct heap *heap) {
    slab_drain(heap);
    share_end(heap);
    heap_each_slab(heap, slab_orphan);
    /* Pairs with remote_notify: either it sees the heap free, or this sees its notice. */
    atomic_store(&heap->public.state, HEAP_FREE);
    slab_orphan_notified(heap);
}

uint64_t slab_room(const struct heap *heap) {
    uint64_t room = 0;
    unsigned looks = 0;

    for (uint32_t id = heap->slabs; id != 0 && looks < ROOM_LOOKS; looks++) {
        const struct slab *slab = range_slab_by_id(id);
        uint64_t carved = slab_class(slab)->capacity - slab_uncarved(slab);
        room += (carved - slab_live(slab)) * slab->block_size;
        id = slab->heap_next;
    }
    return looks < ROOM_LOOKS ? room : room * heap->slab_count / ROOM_LOOKS;
}

static void slab_adopt(struct heap *heap, struct slab *slab) {
    if (slab_notified(slab))
        return;
    remote_set_state(slab, REMOTE_OWNED);
    slab_settle(heap, heap_set_of(heap, slab), slab);
}

void slab_adopt_all(struct heap *heap) {
    heap_each_slab(heap, slab_adopt);
    slab_drain(heap);
}

static void slab_settle_alone(struct heap *heap, struct slab *slab) {
    bool orphan = STATE_LOAD(&heap->public.state) == HEAP_FREE;

    if (!slab_notified(slab))
        return;
    remote_set_state(slab, orphan ? REMOTE_ORPHAN : REMOTE_OWNED);
    slab_settle(heap, heap_set_of(heap, slab), slab);
}

void slab_settle_all(struct heap *heap) {
    STATE_STORE(&heap->notify, 0);
    heap_each_slab(heap, slab_settle_alone);
}
