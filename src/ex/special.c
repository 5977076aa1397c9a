/* Areas, slots and the blocks in them: see special.h. */
#include "ex/special.h"

#include "base/options.h"
#include "ex/account.h"
#include "ex/range.h"
#include "ex/special_parts.h"
#include "plat/guard.h"
#include "plat/wait.h"

#define SLACK_MOST ((size_t)256)
#define BYTES_MOST ((size_t)1 << 30)
#define AREA_PAGES (SLAB_SIZE / POOL_PAGE_SIZE)
/* Freed blocks that stay inaccessible, and their pages; under limit= no more than this share of it. */
#define FREED_BLOCKS 16384u
#define FREED_PAGES ((uint64_t)65536)
#define FREED_SHARE 16u

static struct {
    struct special_area *with_room[SPECIAL_SLOTS + 1]; /* by pages of a slot */
    struct special_area *spare;                        /* records of areas that are no more */
    struct special_slot *oldest, *newest;              /* the queue of freed ones */
    uint64_t freed_blocks, freed_pages;
    uint64_t open;      /* slots that are accessible, or about to be */
    uint64_t left_open; /* frees after which a slot stayed accessible */
} areas;

/* --- slots ------------------------------------------------------------------------------------- */

static uint32_t slot_number(const struct special_slot *slot) {
    return (uint32_t)(slot - slot->area->slot);
}

uintptr_t special_slot_base(const struct special_slot *slot) {
    const struct special_area *a = slot->area;
    return a->base + (1 + (uintptr_t)slot_number(slot) * (a->pages + 1)) * POOL_PAGE_SIZE;
}

size_t special_slot_bytes(const struct special_slot *slot) {
    return slot->area->pages * POOL_PAGE_SIZE;
}

static struct special_area *area_of(const struct slab *slab) {
    return (struct special_area *)slab->area;
}

/* The slot in whose pages the address lies; NULL for a guard. */
static struct special_slot *slot_at(const struct slab *slab, uintptr_t address) {
    struct special_area *a = area_of(slab);
    size_t page = (address - a->base) / POOL_PAGE_SIZE, stride = a->pages + 1;

    if (page == 0 || (page - 1) / stride >= a->slots || (page - 1) % stride == a->pages)
        return NULL;
    return &a->slot[(page - 1) / stride];
}

static size_t distance(const struct special_slot *slot, uintptr_t address) {
    if (address < slot->block)
        return slot->block - address;
    return address >= slot->block + slot->bytes ? address - slot->block - slot->bytes : 0;
}

/* Of the two that a guard lies between: a live one, else the nearer. */
static struct special_slot *nearer(struct special_slot *a, struct special_slot *b,
                                   uintptr_t address) {
    bool a_lives = STATE_LOAD(&a->state) == SPECIAL_LIVE;
    bool b_lives = STATE_LOAD(&b->state) == SPECIAL_LIVE;

    if (a_lives != b_lives)
        return a_lives ? a : b;
    return distance(a, address) <= distance(b, address) ? a : b;
}

struct special_slot *special_slot_near(const struct slab *slab, uintptr_t address) {
    struct special_area *a = area_of(slab);
    struct special_slot *slot = slot_at(slab, address);
    size_t page = (address - a->base) / POOL_PAGE_SIZE, after = (page + a->pages) / (a->pages + 1);

    if (slot == NULL && page == 0)
        slot = &a->slot[0];
    else if (slot == NULL && after >= a->slots)
        slot = &a->slot[a->slots - 1];
    else if (slot == NULL)
        slot = nearer(&a->slot[after - 1], &a->slot[after], address);
    return slot->start != 0 ? slot : NULL;
}

/* --- areas: under the special lock --------------------------------------------------------------- */

static void area_link(struct special_area *a) {
    struct special_area **head = &areas.with_room[a->pages];
    a->prev = NULL;
    a->next = *head;
    if (*head != NULL)
        (*head)->prev = a;
    *head = a;
}

static void area_unlink(struct special_area *a) {
    if (a->prev != NULL)
        a->prev->next = a->next;
    else
        areas.with_room[a->pages] = a->next;
    if (a->next != NULL)
        a->next->prev = a->prev;
}

static uint32_t all_slots(const struct special_area *a) {
    return (1u << a->slots) - 1;
}

/* Every slab of it leads to the area; readers from outside take it for nothing that has figures. */
static void area_publish(const struct special_area *a, struct slab *first, enum slab_kind kind) {
    for (uint32_t i = 0; i < a->slabs; i++) {
        struct slab *slab = first + i;
        atomic_fetch_add(&slab->generation, 1);
        if (kind == SLAB_SPECIAL)
            slab->area = (uintptr_t)a;
        range_give_label(slab);
        slab_label(slab)->tag = 0;
        slab->block_size = 0;
        STATE_STORE(&slab->account, 0);
        STATE_STORE(&slab_label(slab)->owner, kind == SLAB_SPECIAL ? OWNER_SLOW : 0);
        STATE_STORE(&slab->kind, (uint8_t)kind);
        atomic_fetch_add(&slab->generation, 1);
    }
}

static struct special_area *area_record(void) {
    struct special_area *a = areas.spare;
    if (a == NULL)
        return meta_alloc(sizeof(*a));
    areas.spare = a->next;
    return a;
}

/* For slots of so many pages; all of it inaccessible. */
static struct special_area *area_new(uint32_t pages) {
    uint32_t slabs = (uint32_t)((pages + 2 + AREA_PAGES - 1) / AREA_PAGES);
    bool one = pages > SPECIAL_SLOTS;
    struct range_dirt dirt;
    struct special_area *a = area_record();
    struct slab *first = a == NULL ? NULL : range_take_dirt(slabs, SLAB_SIZE, &dirt);

    if (first != NULL &&
        !plat_guard_close((void *)range_slab_base(first), (size_t)slabs * SLAB_SIZE)) {
        range_return(first, slabs, slabs * AREA_PAGES);
        first = NULL;
    }
    if (first == NULL) {
        if (a != NULL) {
            a->next = areas.spare;
            areas.spare = a;
        }
        return NULL;
    }
    *a = (struct special_area){.base = range_slab_base(first), .slabs = slabs, .pages = pages};
    a->slots = one ? 1 : (uint32_t)(AREA_PAGES - 1) / (pages + 1);
    a->free = all_slots(a);
    for (uint32_t i = 0; i < a->slots; i++)
        a->slot[i].area = a;
    area_publish(a, first, SLAB_SPECIAL);
    return a;
}

/* Nothing is left in it. False where the system refuses to make it ordinary memory again. */
static bool area_retire(struct special_area *a) {
    struct slab *first = range_slab((const void *)a->base);

    if (!plat_guard_open((void *)a->base, (size_t)a->slabs * SLAB_SIZE))
        return false;
    area_publish(a, first, SLAB_NONE);
    range_return(first, a->slabs, 0);
    a->next = areas.spare;
    areas.spare = a;
    return true;
}

/* The slot may be taken again. */
static void slot_release(struct special_slot *slot) {
    struct special_area *a = slot->area;
    bool linked = a->free != 0;

    STATE_STORE(&slot->state, SPECIAL_EMPTY);
    a->free |= 1u << slot_number(slot);
    if (a->free == all_slots(a)) {
        if (linked)
            area_unlink(a);
        if (area_retire(a))
            return;
        linked = false;
    }
    if (!linked && a->pages <= SPECIAL_SLOTS)
        area_link(a);
}

/* The one that was freed longest ago; one that was set aside meanwhile stays what it is. */
static void queue_pop(void) {
    struct special_slot *slot = areas.oldest;

    rxp_check(slot != NULL);
    areas.oldest = slot->next;
    if (areas.oldest == NULL)
        areas.newest = NULL;
    areas.freed_blocks--;
    areas.freed_pages -= slot->area->pages;
    if (STATE_LOAD(&slot->state) == SPECIAL_FREED)
        slot_release(slot);
}

static uint64_t freed_pages_most(void) {
    uint64_t limit = options_get()->limit, share = limit / FREED_SHARE / POOL_PAGE_SIZE;
    return limit != 0 && share < FREED_PAGES ? share : FREED_PAGES;
}

static void queue_push(struct special_slot *slot) {
    slot->next = NULL;
    if (areas.newest != NULL)
        areas.newest->next = slot;
    else
        areas.oldest = slot;
    areas.newest = slot;
    areas.freed_blocks++;
    areas.freed_pages += slot->area->pages;
    while (areas.freed_blocks > FREED_BLOCKS || areas.freed_pages > freed_pages_most())
        queue_pop();
}

/* A slot of so many pages, for this caller alone. When memory is short the queue is given up for it. */
static struct special_slot *slot_take(uint32_t pages) {
    struct special_area *a = pages <= SPECIAL_SLOTS ? areas.with_room[pages] : NULL;
    bool linked = a != NULL;

    if (a == NULL)
        a = area_new(pages);
    if (a == NULL && areas.oldest != NULL) {
        while (areas.oldest != NULL)
            queue_pop();
        a = area_new(pages);
    }
    if (a == NULL)
        return NULL;
    uint32_t i = (uint32_t)__builtin_ctz(a->free);
    a->free &= a->free - 1;
    if (linked && a->free == 0)
        area_unlink(a);
    else if (!linked && a->free != 0)
        area_link(a);
    STATE_STORE(&a->slot[i].state, SPECIAL_TAKEN);
    return &a->slot[i];
}

/* --- allocation ------------------------------------------------------------------------------------ */

/* Where in its pages a block lies. */
struct place {
    uint32_t pages;
    size_t block, start; /* offsets from the slot's base */
};

static void place_of(const struct special_request *q, struct place *out) {
    enum options_side side = options_get()->special_side;
    size_t lead = q->lead, room = q->size;

    if (side == OPTIONS_SIDE_UNDER)
        lead = 0;
    else
        room = rxp_round_up(q->size,
                            side == OPTIONS_SIDE_EXACT && q->alignment <= 16 ? 1 : q->alignment);
    out->pages = (uint32_t)((room + lead + POOL_PAGE_SIZE - 1) / POOL_PAGE_SIZE);
    out->block = side == OPTIONS_SIDE_UNDER ? 0 : out->pages * POOL_PAGE_SIZE - room;
    out->start = q->checked ? 0 : out->block;
}

/*
 * The bytes next to a block that are filled and checked: a few cache lines. The whole page would cost a
 * sampled block more than its system calls do.
 */
static uintptr_t slack_start(const struct special_slot *slot) {
    uintptr_t base = special_slot_base(slot);
    return slot->block - base > SLACK_MOST ? slot->block - SLACK_MOST : base;
}

static uintptr_t slack_end(const struct special_slot *slot) {
    uintptr_t end = special_slot_base(slot) + special_slot_bytes(slot);
    uintptr_t behind = slot->block + slot->bytes;
    return end - behind > SLACK_MOST ? behind + SLACK_MOST : end;
}

static void fill(uintptr_t from, uintptr_t to) {
    __builtin_memset((void *)from, SPECIAL_SLACK, to - from);
}

/* Guards of an area that a report had to open are closed when one of its slots is taken or freed next. */
static void restore_guards(struct special_area *a) {
    size_t stride = a->pages + 1;
    if (!atomic_exchange_explicit(&a->opened, false, memory_order_relaxed))
        return;
    for (size_t i = 0; i <= a->slots; i++)
        plat_guard_close((void *)(a->base + i * stride * POOL_PAGE_SIZE), POOL_PAGE_SIZE);
}

static bool slot_open(struct special_slot *slot) {
    void *base = (void *)special_slot_base(slot);
    size_t bytes = special_slot_bytes(slot);

    restore_guards(slot->area);
    /* What was written to it after its free, when told to go on, is not handed out. */
    if (atomic_exchange_explicit(&slot->touched, false, memory_order_relaxed) &&
        !plat_guard_close(base, bytes))
        return false;
    return plat_guard_open(base, bytes);
}

static enum special_refusal slot_get(uint32_t pages, struct special_slot **out) {
    enum special_refusal why = SPECIAL_SERVED;

    engine_lock(LOCK_SPECIAL);
    if (areas.open >= plat_guard_budget())
        why = SPECIAL_NO_GUARD;
    else if ((*out = slot_take(pages)) == NULL)
        why = SPECIAL_NO_MEMORY;
    else
        areas.open++;
    engine_unlock(LOCK_SPECIAL);
    if (why != SPECIAL_SERVED || slot_open(*out))
        return why;
    engine_lock(LOCK_SPECIAL);
    areas.open--;
    slot_release(*out);
    engine_unlock(LOCK_SPECIAL);
    return SPECIAL_NO_GUARD;
}

enum special_refusal special_alloc(struct heap *heap, const struct special_request *q,
                                   struct guard_place *out) {
    struct special_slot *slot;
    struct place place;

    if (q->alignment > POOL_PAGE_SIZE || q->size > BYTES_MOST)
        return SPECIAL_NO_SHAPE;
    place_of(q, &place);
    uint32_t account = account_of(q->key);
    enum special_refusal why = slot_get(place.pages, &slot);
    if (why != SPECIAL_SERVED)
        return why;
    uintptr_t base = special_slot_base(slot), end = base + special_slot_bytes(slot);
    slot->start = base + place.start;
    slot->size = q->checked ? special_slot_bytes(slot) : q->size;
    slot->block = base + place.block;
    slot->bytes = q->size;
    slot->allocated_at = q->caller;
    slot->freed_at = NULL;
    slot->account = account;
    slot->checked = q->checked;
    if (!q->checked) {
        fill(slack_start(slot), slot->block);
        fill(slot->block + slot->bytes, slack_end(slot));
    }
    count_alloc(heap, account, slot->size);
    /* Pairs with the acquire of who looks at the slot: it sees what was written of the block. */
    atomic_store_explicit(&slot->state, SPECIAL_LIVE, memory_order_release);
    *out = (struct guard_place){slot->start, slot->block, end - slot->block - slot->bytes};
    return SPECIAL_SERVED;
}

/* --- what an address is ------------------------------------------------------------------------------ */

static bool slot_lives(const struct special_slot *slot) {
    return atomic_load_explicit(&slot->state, memory_order_acquire) == SPECIAL_LIVE;
}

enum engine_verdict special_lookup(const struct slab *slab, uintptr_t address,
                                   struct engine_block *out) {
    const struct special_slot *slot = slot_at(slab, address);

    if (slot == NULL || slot->start == 0)
        return ENGINE_UNUSED;
    out->start = slot->start;
    out->size = slot->size;
    out->account = slot->account;
    if (slot_lives(slot))
        return slot->start == address ? ENGINE_OK : ENGINE_INTERIOR;
    return slot->start == address ? ENGINE_NOT_LIVE : ENGINE_UNUSED;
}

/* The slot whose block begins at the address; NULL where there is none. */
static struct special_slot *slot_of_block(const struct slab *slab, uintptr_t block) {
    struct special_slot *slot = slot_at(slab, block);
    return slot != NULL && slot->start == block ? slot : NULL;
}

static struct special_slot *slot_by_address(const void *block) {
    const struct slab *slab = range_slab(block);
    if (slab == NULL || STATE_LOAD(&slab->kind) != SLAB_SPECIAL)
        return NULL;
    return slot_of_block(slab, (uintptr_t)block);
}

size_t special_size(const void *block) {
    const struct special_slot *slot = slot_by_address(block);
    return slot != NULL && slot_lives(slot) ? slot->size : 0;
}

void special_note_free(const void *block, const void *caller) {
    struct special_slot *slot = slot_by_address(block);
    if (slot != NULL && slot_lives(slot) && !slot->checked)
        slot->freed_at = caller;
}

/* --- free ------------------------------------------------------------------------------------------------ */

static uintptr_t first_changed(uintptr_t from, uintptr_t to) {
    const uint64_t eight = SPECIAL_SLACK * (uint64_t)0x0101010101010101u;
    while (from < to && from % sizeof(eight) != 0 && *(const uint8_t *)from == SPECIAL_SLACK)
        from++;
    while (from % sizeof(eight) == 0 && to - from >= sizeof(eight) &&
           *(const uint64_t *)from == eight)
        from += sizeof(eight);
    while (from < to && *(const uint8_t *)from == SPECIAL_SLACK)
        from++;
    return from < to ? from : 0;
}

uintptr_t special_damage(const struct special_slot *slot, uintptr_t *end) {
    *end = slack_end(slot);
    uintptr_t behind = first_changed(slot->block + slot->bytes, *end);
    if (behind != 0)
        return behind;
    *end = slot->block;
    return first_changed(slack_start(slot), *end);
}

static void slot_free(struct special_slot *slot) {
    bool closed = plat_guard_close((void *)special_slot_base(slot), special_slot_bytes(slot));

    restore_guards(slot->area);
    /* One that cannot be made inaccessible must not come back with what is written to it. */
    if (!closed)
        STATE_STORE(&slot->touched, true);
    engine_lock(LOCK_SPECIAL);
    areas.open--;
    areas.left_open += !closed;
    queue_push(slot);
    engine_unlock(LOCK_SPECIAL);
}

enum engine_verdict special_free(struct slab *slab, void *block, uint32_t tag) {
    struct special_slot *slot = slot_of_block(slab, (uintptr_t)block);
    struct heap *heap = engine_thread.heap;
    uint32_t live = SPECIAL_LIVE;

    if (slot == NULL)
        return special_lookup(slab, (uintptr_t)block, &(struct engine_block){0});
    if (!slot_lives(slot))
        return ENGINE_NOT_LIVE;
    if (tag != 0 && tag != account_at(slot->account)->tag)
        return ENGINE_WRONG_TAG;
    /* Of a checked block without a header, which has the same address: freed by the pool's routine. */
    if (RXP_UNLIKELY(special_lives_checked(slot)))
        return ENGINE_INTERIOR;
    if (!atomic_compare_exchange_strong(&slot->state, &live, SPECIAL_FREED))
        return ENGINE_NOT_LIVE;
    count_free(heap, slot->account, slot->size);
    uint64_t since = special_timed(heap) ? plat_clock_ns() : 0;
    if (!slot->checked && special_damage(slot, &(uintptr_t){0}) != 0) {
        STATE_STORE(&slot->state, SPECIAL_ASIDE);
        return ENGINE_DAMAGED;
    }
    slot_free(slot);
    if (since != 0)
        special_charge(heap, since);
    return ENGINE_OK;
}

/* --- everything there is ------------------------------------------------------------------------------------ */

void special_counts(struct special_coverage *out) {
    engine_lock(LOCK_SPECIAL);
    out->live = areas.open;
    out->freed = areas.freed_blocks;
    out->left_open = areas.left_open;
    engine_unlock(LOCK_SPECIAL);
}

static bool begins_area(const struct slab *slab) {
    return range_slab_base(slab) == area_of(slab)->base;
}

void special_each_live(const struct slab *slab, void (*visit)(void *, uintptr_t, size_t),
                       void *argument) {
    const struct special_area *a = area_of(slab);
    for (uint32_t i = 0; begins_area(slab) && i < a->slots; i++)
        if (slot_lives(&a->slot[i]))
            visit(argument, a->slot[i].start, a->slot[i].size);
}

const char *special_walk(const struct slab *slab) {
    const struct special_area *a = area_of(slab);

    if (STATE_LOAD(&slab->generation) % 2 != 0)
        return "a special slab's generation is odd at rest";
    for (uint32_t i = 0; begins_area(slab) && i < a->slots; i++) {
        const struct special_slot *slot = &a->slot[i];
        uintptr_t base = special_slot_base(slot), end = base + special_slot_bytes(slot);
        bool lives = slot_lives(slot);
        if (((a->free >> i & 1) != 0) != (STATE_LOAD(&slot->state) == SPECIAL_EMPTY))
            return "a slot's state and its area's mask disagree";
        if (lives && (slot->start < base || slot->block < slot->start ||
                      slot->block + slot->bytes > end || slot->start + slot->size > end))
            return "a guarded block leaves its slot";
        if (lives && !slot->checked && special_damage(slot, &(uintptr_t){0}) != 0)
            return "bytes next to a guarded block were overwritten";
    }
    return NULL;
}
