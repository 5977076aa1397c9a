/*
 * A span whose pages were moved here begins with mappings of their own, which do not become one with their neighbours
 * again. `collected` of the descriptor at which such a mapping begins is the number of slabs that it reaches over; the
 * first one that is 0 ends them, and all behind it is of the pool's own mapping:
 *
 *   |  3        |  2    |  0          |     a span of 8 slabs: two mappings, and what it has grown by since
 *
 * They are mapped afresh when the span is freed or moves on, and there are never more than MOVED_MOST of them.
 */
#include "ex/span.h"
#include "ex/account.h"
#include "ex/range.h"
#include "ex/remote.h"

#define SPAN_MOST ((size_t)1 << 40)
#define SLAB_PAGES (SLAB_SIZE / POOL_PAGE_SIZE)
/*
 * Smaller spans are copied. Two buffers that grew by half to 64 MiB faulted in 33,700 pages with 2 MiB here, 37,600 with
 * 16 and 62,700 without moves; but what is moved leaves nothing idle behind, and two that did so to 16 MiB 20 times
 * 60,800 with 2 MiB, 13,600 to 21,600 with 16 and 13,600 without.
 */
#define MOVE_LEAST ((uint64_t)16 << 20)
/* A page table moves as a whole where both places have it on such a boundary. */
#define MOVE_ALIGNMENT ((size_t)2 << 20)
/* Mappings moved to at a time, each of which cuts the one around it in two. A process may have 65,530 in all. */
#define MOVED_MOST 512u

static _Atomic uint32_t moved_mappings;
static bool forked;

static uint32_t slabs_of(uint64_t bytes) {
    return (uint32_t)((bytes + SLAB_SIZE - 1) >> SLAB_SHIFT);
}

/* Bytes of a fresh span that may hold data. */
static void zero(unsigned char *block, uint64_t bytes, struct range_dirt dirt) {
    uint64_t from = (uint64_t)dirt.from << SLAB_SHIFT, to = (uint64_t)dirt.to << SLAB_SHIFT;

    if (to > bytes)
        to = bytes;
    if (from < to)
        __builtin_memset(block + from, 0, to - from);
}

void *span_alloc(struct heap *heap, uint32_t account, size_t size, size_t alignment,
                 unsigned flags) {
    struct range_dirt dirt;

    if (size > SPAN_MOST || alignment > SPAN_MOST)
        return NULL;
    uint64_t bytes = rxp_round_up(size == 0 ? 1 : size, POOL_PAGE_SIZE);
    struct slab *slab =
        range_take_dirt(slabs_of(bytes), alignment < SLAB_SIZE ? SLAB_SIZE : alignment, &dirt);
    if (slab == NULL)
        return NULL;
    void *block = (void *)range_slab_base(slab);
    slab->collected = 0;
    slab_publish_span(slab, account, account_at(account)->tag, bytes);
    count_alloc(heap, account, bytes);
    if (flags & ENGINE_ZERO)
        zero(block, bytes, dirt);
    else if (dirt.to == 0 && atomic_load_explicit(&slab_writes_all, memory_order_relaxed))
        plat_populate(block, bytes);
    return block;
}

/* --- pages that were moved here ------------------------------------------------------------------ */

static void *slab_address(const struct slab *slab) {
    return (void *)range_slab_base(slab);
}

static bool moved_reserve(void) {
    if (atomic_fetch_add(&moved_mappings, 1) < MOVED_MOST)
        return true;
    atomic_fetch_sub(&moved_mappings, 1);
    return false;
}

/* What is mapped afresh in a fork's child does not always become one with its neighbours: there no place is had again. */
static void moved_unreserve(uint32_t mappings) {
    if (!forked)
        atomic_fetch_sub(&moved_mappings, mappings);
}

void span_after_fork(void) {
    forked = true;
}

/* Returns slabs of which the first `empty` have no pages. */
static bool give_back(struct slab *first, uint32_t count, uint32_t empty) {
    bool rest = empty > 0 && range_return(first, empty, 0);

    if (empty < count)
        rest = range_return(first + empty, count - empty, (count - empty) * SLAB_PAGES);
    return rest;
}

/* A span's slabs from `keep` on are no longer its own: where of them those end that have no pages now. */
static uint32_t renew(struct slab *slab, uint32_t have, uint32_t keep) {
    uint32_t at = 0, mappings = 0;

    for (uint32_t end; at < have && slab[at].collected != 0; at = end) {
        end = at + (uint32_t)slab[at].collected;
        if (at >= keep)
            mappings++;
        else if (end > keep)
            slab[at].collected = keep - at;
    }
    if (at <= keep)
        return keep;
    if (!plat_renew(slab_address(slab + keep), (size_t)(at - keep) << SLAB_SHIFT))
        return keep;
    moved_unreserve(mappings);
    return at;
}

/* --- free and resize ------------------------------------------------------------------------------ */

bool span_free(struct heap *heap, struct slab *slab) {
    uint32_t account = STATE_LOAD(&slab->account);
    uint64_t bytes = slab->span_bytes;
    uint32_t have = slabs_of(bytes);

    if (!slab_hide_span(slab))
        return false;
    count_free(heap, account, bytes);
    if (give_back(slab, have, renew(slab, have, 0)))
        heap_rest();
    if (heap != NULL)
        heap_tick(heap);
    return true;
}

bool span_resize(struct heap *heap, struct slab *slab, size_t size) {
    uint32_t have = slabs_of(slab->span_bytes), want;
    uint64_t old = slab->span_bytes, bytes;

    if (size > SPAN_MOST || size <= SLAB_BLOCK_MAX)
        return size <= old && size > old / 2;
    bytes = rxp_round_up(size, POOL_PAGE_SIZE);
    want = slabs_of(bytes);
    if (want > have && !range_extend(slab, have, want - have))
        return false;
    if (want > have)
        slab[have].collected = 0;
    slab->span_bytes = bytes;
    count_resize(heap, STATE_LOAD(&slab->account), old, bytes);
    if (want < have)
        give_back(slab + want, have - want, renew(slab, have, want) - want);
    return true;
}

/* --- move ----------------------------------------------------------------------------------------- */

/* Where the mapping ends that a span's slab `at` begins: one that was moved here, or the part in the pool's own. */
static uint32_t mapping_end(const struct slab *slab, uint32_t at, uint32_t have) {
    return slab[at].collected != 0 ? at + (uint32_t)slab[at].collected : have;
}

/*
 * What a span has grown by since it was last moved is a further mapping where that is half of the rest or more, so that
 * there are no more of them than the span was ever half as large again. Less is copied into the last one: no byte more
 * than once.
 */
static bool worth_a_mapping(const struct slab *slab, uint32_t at, uint32_t have) {
    return slab[at].collected != 0 || have - at >= at / 2;
}

/* One mapping of a span; the last one takes the room behind it. */
static bool move_mapping(struct slab *from, struct slab *to, uint32_t at, uint32_t end,
                         uint32_t room_end) {
    if (!moved_reserve())
        return false;
    if (!plat_move_pages(slab_address(from + at), (size_t)(end - at) << SLAB_SHIFT,
                         slab_address(to + at), (size_t)(room_end - at) << SLAB_SHIFT)) {
        atomic_fetch_sub(&moved_mappings, 1);
        return false;
    }
    to[at].collected = room_end - at;
    return true;
}

/* Where the slabs end whose pages were moved. Those behind it were copied, unless it is 0. */
static uint32_t move_pages(struct slab *from, uint32_t have, struct slab *to, uint32_t want) {
    uint32_t at = 0;

    for (uint32_t end; at < have && worth_a_mapping(from, at, have); at = end) {
        end = mapping_end(from, at, have);
        bool last = end == have || !worth_a_mapping(from, end, have);
        if (!move_mapping(from, to, at, end, last ? want : end)) {
            to[at].collected = 0;
            break;
        }
    }
    if (at != 0 && at < have)
        __builtin_memcpy((char *)slab_address(to) + ((size_t)at << SLAB_SHIFT),
                         slab_address(from + at), (size_t)(have - at) << SLAB_SHIFT);
    return at;
}

void *span_move(struct heap *heap, struct slab *slab, size_t size) {
    uint32_t account = STATE_LOAD(&slab->account), tag = slab_label(slab)->tag;
    uint64_t old = slab->span_bytes, bytes;
    uint32_t have = slabs_of(old);

    if (size > SPAN_MOST || slabs_of(size) <= have || old < MOVE_LEAST)
        return NULL;
    bytes = rxp_round_up(size, POOL_PAGE_SIZE);
    struct slab *to = range_take_unlike_lately(slabs_of(bytes), MOVE_ALIGNMENT);
    if (to == NULL)
        return NULL;
    uint32_t moved = move_pages(slab, have, to, slabs_of(bytes));
    if (moved == 0) {
        range_return(to, slabs_of(bytes), 0);
        return NULL;
    }
    slab_publish_span(to, account, tag, bytes);
    if (!slab_hide_span(slab)) { /* freed meanwhile, by another thread: that one has counted it */
        count_alloc(heap, account, bytes);
        return slab_address(to);
    }
    count_resize(heap, account, old, bytes);
    uint32_t renewed = renew(slab, have, 0);
    give_back(slab, have, renewed > moved ? renewed : moved);
    return slab_address(to);
}

/* --- what an address belongs to ------------------------------------------------------------------- */

struct slab *span_around(struct slab *slab) {
    struct slab *first = slab;

    while (STATE_LOAD(&first->kind) == SLAB_NONE && first->run == 0 && range_slab_id(first) > 1)
        first--;
    if (STATE_LOAD(&first->kind) != SLAB_SPAN)
        return NULL;
    return (uint64_t)(slab - first) < slabs_of(first->span_bytes) ? first : NULL;
}
