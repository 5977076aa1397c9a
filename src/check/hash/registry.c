/* The registry for a kernel: see shard.h. */
#include "check/hash/shard.h"

#include <stdatomic.h>

#include "base/options.h"
#include "plat/irql.h"

#define GHOSTS_KEPT 256u /* in a shard; enough for the frees of the last moments */
#define GHOST_TRIES 4u   /* of SHARD_STEPS each, before a record is carved */
#define WALK_PAGES 64u   /* looked at by one call of registry_next */
#define PAGED 1u         /* of POOL_TYPE */

#define PAGE ((size_t)4096)
#define SLOT_BITS 6
#define PAGE_RECORDS ((PAGE - 4 * sizeof(uint32_t)) / sizeof(struct record))
#define PART_BITS 9 /* of a page's number: its place in its part of the directory */
#define PARTS 512u
#define PAGES_MOST (PARTS << PART_BITS) /* 16 million records */
#define CHUNK_MOST 16u /* pages asked for at once; one for every eight that there are */
#define NOBODY UINT32_MAX

struct record_page {
    _Atomic uint32_t shard; /* NOBODY: spare */
    uint32_t next;          /* page of the same shard, or spare; 0 none */
    uint32_t chunk;         /* pages that came with this one, itself too; 0 in all but the first */
    uint32_t none;
    struct record record[PAGE_RECORDS];
};

_Static_assert(PAGE_RECORDS <= 1u << SLOT_BITS, "a slot fits its bits");
_Static_assert(sizeof(struct record) + 8 + 2 <= 96, "bytes a block, as documented");

static struct {
    struct shard shard[REGISTRY_SHARDS];
    struct plat_lock lock;
    struct record_page **part[PARTS]; /* entries stay as they are once `pages` tells of them */
    _Atomic uint32_t pages;           /* numbers given out, 1 and up */
    uint32_t spare;                   /* list */
    uint64_t segment_bytes;
    _Atomic uint32_t sequence; /* of the latest allocation */
    _Atomic uint32_t mark;     /* the latest */
    _Atomic uint64_t calls;    /* for sweep= */
    _Atomic uint32_t turns;    /* of registry_next */
} registry;

void registry_watch_forks(void) {}

bool registry_ready(void) {
    return true;
}

/* --- memory: no shard's lock is held ------------------------------------------------------------- */

static void *obtain(size_t bytes) {
    void *memory = plat_reserve(bytes, PAGE);
    if (memory == NULL || plat_commit(memory, bytes))
        return memory;
    plat_release(memory, bytes);
    return NULL;
}

static struct record_page *page_at(uint32_t page) {
    return registry.part[page >> PART_BITS][page & ((1u << PART_BITS) - 1)];
}

struct record *shard_record(uint32_t number) {
    return &page_at(number >> SLOT_BITS)->record[number & ((1u << SLOT_BITS) - 1)];
}

static uint32_t pages_known(void) {
    return atomic_load_explicit(&registry.pages, memory_order_acquire);
}

/* Whether the directory has room for the page of this number; `*part` is used where a part is missing. */
static bool enter_part(uint32_t page, struct record_page ***part) {
    if (page >= PAGES_MOST)
        return false;
    if (registry.part[page >> PART_BITS] == NULL) {
        registry.part[page >> PART_BITS] = *part;
        *part = NULL;
    }
    return registry.part[page >> PART_BITS] != NULL;
}

/* Enters the chunk's pages as spare ones; false, with nothing entered, when the directory is full. */
static bool enter_chunk(unsigned char *memory, uint32_t count, struct record_page ***part) {
    uint32_t last = pages_known();
    if (!enter_part(last + 1, part) || !enter_part(last + count, part))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct record_page *p = (struct record_page *)(void *)(memory + i * PAGE);
        uint32_t page = last + 1 + i;
        atomic_store_explicit(&p->shard, NOBODY, memory_order_relaxed);
        p->chunk = i == 0 ? count : 0;
        p->next = registry.spare;
        registry.spare = page;
        registry.part[page >> PART_BITS][page & ((1u << PART_BITS) - 1)] = p;
    }
    atomic_store_explicit(&registry.pages, last + count, memory_order_release);
    return true;
}

/* More spare pages; false when memory is short. */
static bool grow_pages(void) {
    uint32_t count = pages_known() / 8 + 1;
    if (count > CHUNK_MOST)
        count = CHUNK_MOST;
    struct record_page **part = obtain(sizeof(*part) << PART_BITS);
    unsigned char *memory = obtain(count * PAGE);
    bool entered = false;
    if (memory != NULL) {
        plat_lock_acquire(&registry.lock);
        entered = enter_chunk(memory, count, &part);
        plat_lock_release(&registry.lock);
    }
    if (part != NULL)
        plat_release(part, sizeof(*part) << PART_BITS);
    if (memory != NULL && !entered)
        plat_release(memory, count * PAGE);
    return entered;
}

static uint32_t take_spare(void) {
    plat_lock_acquire(&registry.lock);
    uint32_t page = registry.spare;
    if (page != 0)
        registry.spare = page_at(page)->next;
    plat_lock_release(&registry.lock);
    return page;
}

static void give_spare(uint32_t page) {
    plat_lock_acquire(&registry.lock);
    page_at(page)->next = registry.spare;
    registry.spare = page;
    plat_lock_release(&registry.lock);
}

/* A page of records for a shard that has used up its own; false when memory is short. */
static bool grow_shard(struct shard *s) {
    uint32_t page = take_spare();
    while (page == 0) {
        if (!grow_pages())
            return false;
        page = take_spare();
    }
    plat_lock_acquire(&s->lock);
    bool wanted = s->carve == s->carve_end; /* another thread may have been here */
    if (wanted) {
        struct record_page *p = page_at(page);
        p->next = s->first_page;
        s->first_page = page;
        s->carve = page << SLOT_BITS;
        s->carve_end = s->carve + (uint32_t)PAGE_RECORDS;
        atomic_store_explicit(&p->shard, (uint32_t)(s - registry.shard), memory_order_release);
    }
    plat_lock_release(&s->lock);
    if (!wanted)
        give_spare(page);
    return true;
}

/* The segment that the next bucket lies in, when it is missing; BUCKET_SEGMENTS when nothing is. */
static unsigned missing_segment(const struct shard *s) {
    unsigned n = 0;
    if (s->entries <= s->bucket_count)
        return BUCKET_SEGMENTS;
    while (n < BUCKET_SEGMENTS && s->segment[n] != NULL)
        n++;
    return n < BUCKET_SEGMENTS && s->bucket_count == BUCKETS_FIRST << n ? n : BUCKET_SEGMENTS;
}

/* Without memory the chains get longer. */
static void grow_buckets(struct shard *s, unsigned n) {
    size_t bytes = rxp_round_up((sizeof(uint32_t) * BUCKETS_FIRST) << n, PAGE);
    uint32_t *segment = obtain(bytes);
    if (segment == NULL)
        return;
    plat_lock_acquire(&s->lock);
    bool wanted = s->segment[n] == NULL;
    if (wanted) {
        s->segment[n] = segment;
        plat_lock_acquire(&registry.lock);
        registry.segment_bytes += bytes;
        plat_lock_release(&registry.lock);
    }
    plat_lock_release(&s->lock);
    if (!wanted)
        plat_release(segment, bytes);
}

static void close_shard(struct shard *s) {
    for (unsigned n = 0; n < BUCKET_SEGMENTS; n++) {
        if (s->segment[n] != NULL)
            plat_release(s->segment[n],
                         rxp_round_up((sizeof(uint32_t) * BUCKETS_FIRST) << n, PAGE));
    }
    *s = (struct shard){.bucket_count = 0};
}

void shard_close(void) {
    uint32_t pages = pages_known(), chunk;
    for (unsigned i = 0; i < REGISTRY_SHARDS; i++)
        close_shard(&registry.shard[i]);
    for (uint32_t page = 1; page <= pages; page += chunk) {
        chunk = page_at(page)->chunk;
        plat_release(page_at(page), chunk * PAGE);
    }
    for (uint32_t i = 0; i < PARTS; i++) {
        if (registry.part[i] != NULL)
            plat_release(registry.part[i], sizeof(*registry.part[i]) << PART_BITS);
        registry.part[i] = NULL;
    }
    atomic_store_explicit(&registry.pages, 0, memory_order_relaxed);
    registry.spare = 0;
    registry.segment_bytes = 0;
}

/* --- shards ---------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x) {
    x *= 0x9E3779B97F4A7C15u;
    return x ^ x >> 32;
}

struct shard *shard_of(uint64_t block) {
    return &registry.shard[mix(block >> 16) % REGISTRY_SHARDS];
}

struct shard *shard_at(unsigned index) {
    return &registry.shard[index];
}

static uint32_t *bucket_at(struct shard *s, uint32_t b) {
    unsigned n = 0;
    if (b < BUCKETS_FIRST)
        return &s->first[b];
    while (b >= 2 * BUCKETS_FIRST << n)
        n++;
    return &s->segment[n][b - (BUCKETS_FIRST << n)];
}

static uint32_t *bucket_of(struct shard *s, uint64_t block) {
    uint32_t b = (uint32_t)mix(block >> 4) & s->high_mask;
    return bucket_at(s, b < s->bucket_count ? b : b & s->high_mask >> 1);
}

uint32_t shard_lookup(struct shard *s, uint64_t block) {
    if (s->entries == 0)
        return 0;
    uint32_t i = *bucket_of(s, block);
    while (i != 0 && shard_record(i)->info.block != block)
        i = shard_record(i)->next;
    return i;
}

/* One more bucket: it takes what belongs to it from the bucket that served for both. */
static void split_bucket(struct shard *s) {
    uint32_t fresh = s->bucket_count++;
    uint32_t *from = bucket_at(s, fresh & s->high_mask >> 1), *to = bucket_at(s, fresh);
    if (s->bucket_count > s->high_mask)
        s->high_mask = 2 * s->bucket_count - 1;
    *to = 0;
    while (*from != 0) {
        struct record *r = shard_record(*from);
        if (bucket_of(s, r->info.block) != to) {
            from = &r->next;
            continue;
        }
        uint32_t moved = *from;
        *from = r->next;
        r->next = *to;
        *to = moved;
    }
}

static void link_record(struct shard *s, uint32_t number) {
    if (s->bucket_count == 0) {
        s->bucket_count = BUCKETS_FIRST;
        s->high_mask = 2 * BUCKETS_FIRST - 1;
    }
    uint32_t *bucket = bucket_of(s, shard_record(number)->info.block);
    shard_record(number)->next = *bucket;
    *bucket = number;
    s->entries++;
    /* Two, to catch up where there was no memory for a while. */
    for (unsigned i = 0; i < 2 && s->entries > s->bucket_count; i++) {
        if (missing_segment(s) != BUCKET_SEGMENTS || s->bucket_count == BUCKETS_FIRST
                                                                            << BUCKET_SEGMENTS)
            return;
        split_bucket(s);
    }
}

static void unlink_record(struct shard *s, uint32_t number) {
    uint32_t *at = bucket_of(s, shard_record(number)->info.block);
    while (*at != number)
        at = &shard_record(*at)->next;
    *at = shard_record(number)->next;
    s->entries--;
}

/* The record behind this one, of the shard's; round and round. */
static uint32_t after(const struct shard *s, uint32_t number) {
    if ((number & ((1u << SLOT_BITS) - 1)) + 1 < PAGE_RECORDS)
        return number + 1;
    uint32_t page = page_at(number >> SLOT_BITS)->next;
    return (page != 0 ? page : s->first_page) << SLOT_BITS;
}

/* Takes the next ghost within a few records out of its bucket; 0 when there is none. */
static uint32_t reuse_ghost(struct shard *s) {
    if (s->hand == 0)
        s->hand = s->first_page << SLOT_BITS;
    for (uint32_t steps = SHARD_STEPS; steps > 0 && s->hand != 0; steps--) {
        uint32_t i = s->hand;
        s->hand = after(s, i);
        if (shard_record(i)->info.state != RECORD_GHOST)
            continue;
        unlink_record(s, i);
        s->ghosts--;
        return i;
    }
    return 0;
}

/*
 * A record in no bucket; 0 when the shard has none left, or when there are ghosts enough, of which none was
 * come by: then not `carve` leaves the records that were never used for later.
 */
static uint32_t new_record(struct shard *s, bool carve) {
    uint32_t i = s->unused;
    if (i != 0) {
        s->unused = shard_record(i)->next;
        return i;
    }
    if (s->ghosts > GHOSTS_KEPT && ((i = reuse_ghost(s)) != 0 || !carve))
        return i;
    return s->carve < s->carve_end ? s->carve++ : 0;
}

void shard_recycle(struct shard *s, uint32_t number) {
    struct record *r = shard_record(number);
    r->info.state = RECORD_NONE;
    r->next = s->unused;
    s->unused = number;
}

/* --- records --------------------------------------------------------------------------------- */

/* In the quarantine's queue, or on its way into it. */
static bool is_queued(uint8_t state) {
    return state == RECORD_HELD || state == RECORD_SWEPT || state == RECORD_FILLING;
}

/*
 * The record to use for an address that the pool has just handed out: what an older block left there
 * (a ghost, or a block that was freed behind our back), or a new one. 0 when there is none.
 */
static uint32_t record_for(struct shard *s, uint64_t block, bool carve) {
    uint32_t i = shard_lookup(s, block);
    if (i != 0) {
        uint8_t *state = &shard_record(i)->info.state;
        if (*state == RECORD_GHOST)
            s->ghosts--;
        if (!is_queued(*state))
            return i;
        unlink_record(s, i);
        *state = RECORD_DEAD;
    }
    i = new_record(s, carve);
    if (i != 0) {
        shard_record(i)->info.block = block;
        link_record(s, i);
    }
    return i;
}

/* *segment gets the one that the shard lacks, BUCKET_SEGMENTS when it lacks none. */
static bool insert(struct shard *s, const struct record_info *info, uint32_t sequence, bool carve,
                   unsigned *segment) {
    plat_lock_acquire(&s->lock);
    uint32_t i = record_for(s, info->block, carve);
    if (i != 0) {
        struct record *r = shard_record(i);
        r->info = *info;
        r->info.state = RECORD_LIVE;
        r->info.thread = plat_thread_id();
        r->info.sequence = sequence;
        r->seen = 0;
        r->info.mark = atomic_load_explicit(&registry.mark, memory_order_relaxed);
    }
    *segment = missing_segment(s);
    plat_lock_release(&s->lock);
    return i != 0;
}

/* Whether the shard has a ghost, or had one a moment ago; if so, some of the next records are looked at for it. */
static bool has_ghost(struct shard *s) {
    plat_lock_acquire(&s->lock);
    bool any = s->ghosts != 0;
    uint32_t i = any ? reuse_ghost(s) : 0;
    if (i != 0)
        shard_recycle(s, i);
    plat_lock_release(&s->lock);
    return any;
}

/* The youngest ghosts go too before a block does without a record. */
bool registry_insert(const struct record_info *info) {
    struct shard *s = shard_of(info->block);
    uint32_t sequence = atomic_fetch_add_explicit(&registry.sequence, 1, memory_order_relaxed) + 1;
    unsigned segment;
    bool done = false;
    for (unsigned tries = 1; !done; tries++) {
        done = insert(s, info, sequence, tries >= GHOST_TRIES, &segment);
        if (segment != BUCKET_SEGMENTS)
            grow_buckets(s, segment);
        if (!done && tries >= GHOST_TRIES && !grow_shard(s) && !has_ghost(s))
            break;
    }
    if (RXP_UNLIKELY(sequence == options_get()->break_at))
        plat_break();
    return done;
}

bool registry_find(uint64_t block, struct record_info *out) {
    struct shard *s = shard_of(block);
    plat_lock_acquire(&s->lock);
    uint32_t i = shard_lookup(s, block);
    if (i != 0)
        *out = shard_record(i)->info;
    plat_lock_release(&s->lock);
    return i != 0;
}

uint64_t registry_size(uint64_t block) {
    struct record_info info;
    return registry_find(block, &info) && (info.state == RECORD_LIVE || info.state == RECORD_BUSY)
               ? info.size
               : 0;
}

bool registry_is_taken(uint64_t block) {
    struct record_info info;
    return registry_find(block, &info) && info.kind == RECORD_POOL && info.state != RECORD_NONE &&
           info.state != RECORD_GHOST && info.state != RECORD_DEAD;
}

bool registry_pin(uint64_t block, struct record_info *out) {
    struct shard *s = shard_of(block);
    for (;;) {
        unsigned irql = plat_irql_raise();
        plat_lock_acquire(&s->lock);
        uint32_t i = shard_lookup(s, block);
        out->state = RECORD_NONE;
        if (i != 0)
            *out = shard_record(i)->info;
        if (out->state == RECORD_LIVE) {
            shard_record(i)->info.state = RECORD_BUSY;
            shard_record(i)->irql = irql;
        }
        plat_lock_release(&s->lock);
        if (out->state != RECORD_LIVE || (out->type & PAGED) != 0)
            plat_irql_lower(irql);
        if (out->state != RECORD_BUSY)
            return out->state == RECORD_LIVE;
        plat_yield();
    }
}

/* Ends a pin, under the shard's lock until `done`. */
static struct record *pinned(struct shard *s, uint64_t block) {
    plat_lock_acquire(&s->lock);
    return shard_record(shard_lookup(s, block));
}

static void unpinned(struct shard *s, const struct record *r) {
    unsigned irql = r->irql;
    bool lower = (r->info.type & PAGED) == 0;
    plat_lock_release(&s->lock);
    if (lower)
        plat_irql_lower(irql);
}

void registry_unpin(uint64_t block, enum record_state state) {
    struct shard *s = shard_of(block);
    struct record *r = pinned(s, block);
    r->info.state = (uint8_t)state;
    if (state != RECORD_LIVE)
        r->info.free_site = 0; /* it was the mark, and nobody has freed the block */
    unpinned(s, r);
}

void registry_resize(const struct record_info *info) {
    struct shard *s = shard_of(info->block);
    struct record *r = pinned(s, info->block);
    r->info.size = info->size;
    r->info.tail = info->tail;
    r->info.state = RECORD_LIVE;
    unpinned(s, r);
}

void registry_forget(uint64_t block, uint32_t free_site) {
    struct shard *s = shard_of(block);
    plat_lock_acquire(&s->lock);
    uint32_t i = shard_lookup(s, block);
    if (i != 0) {
        struct record_info *info = &shard_record(i)->info;
        info->state = RECORD_GHOST;
        info->free_site = free_site;
        info->free_thread = plat_thread_id();
        s->ghosts++;
    }
    plat_lock_release(&s->lock);
}

/* --- walks ------------------------------------------------------------------------------------ */

/* The shard whose lock guards the page's records; NULL for a spare page. */
static struct shard *shard_of_page(uint32_t page) {
    uint32_t shard = atomic_load_explicit(&page_at(page)->shard, memory_order_acquire);
    return shard == NOBODY ? NULL : &registry.shard[shard];
}

/*
 * The first record of the page from *slot on whose block is in this state, those that were seen damaged left
 * out where `whole`; *slot moves behind it, or to the page's end. Answers its number, 0 for none.
 */
static uint32_t next_in_page(uint32_t page, uint32_t *slot, enum record_state state, bool whole,
                             struct record_info *out) {
    struct shard *s = shard_of_page(page);
    uint32_t found = 0;
    if (s == NULL)
        *slot = PAGE_RECORDS;
    while (found == 0 && *slot < PAGE_RECORDS) {
        plat_lock_acquire(&s->lock);
        for (unsigned i = 0; i < SHARD_STEPS && found == 0 && *slot < PAGE_RECORDS; i++, ++*slot) {
            const struct record *r = &page_at(page)->record[*slot];
            if (r->info.state != state || (whole && RECORD_SEEN_SIGHT(r->seen) == SEEN_DAMAGED))
                continue;
            *out = r->info;
            found = page << SLOT_BITS | *slot;
        }
        plat_lock_release(&s->lock);
    }
    return found;
}

void registry_vacate(uint64_t block) {
    struct shard *s = shard_of(block);
    plat_lock_acquire(&s->lock);
    uint32_t i = shard_lookup(s, block);
    if (i != 0) {
        uint8_t state = shard_record(i)->info.state;
        s->ghosts -= state == RECORD_GHOST;
        unlink_record(s, i);
        if (is_queued(state))
            shard_record(i)->info.state = RECORD_DEAD;
        else
            shard_recycle(s, i);
    }
    plat_lock_release(&s->lock);
}

void registry_each_live(void (*visit)(void *argument, const struct record_info *info),
                        void *argument) {
    struct record_info info;
    for (uint32_t page = 1; page <= pages_known(); page++) {
        uint32_t slot = 0;
        while (next_in_page(page, &slot, RECORD_LIVE, false, &info) != 0)
            visit(argument, &info);
    }
}

/* Pins a held block, if it is one still. */
static bool pin_held(uint32_t number, struct record_info *out) {
    struct shard *s = shard_of_page(number >> SLOT_BITS);
    struct record *r = shard_record(number);
    plat_lock_acquire(&s->lock);
    bool held = r->info.state == RECORD_HELD;
    if (held) {
        *out = r->info;
        r->info.state = RECORD_SWEPT;
    }
    plat_lock_release(&s->lock);
    return held;
}

/* One of the page's held blocks, another one each time; 0 for none. */
static uint32_t next_held(uint32_t page, struct record_info *out) {
    uint32_t turn = atomic_fetch_add_explicit(&registry.turns, 1, memory_order_relaxed);
    uint32_t slot = turn % PAGE_RECORDS, first = 0;
    uint32_t number = next_in_page(page, &slot, RECORD_HELD, true, out);
    if (number == 0)
        number = next_in_page(page, &first, RECORD_HELD, true, out);
    return number != 0 && pin_held(number, out) ? number : 0;
}

/* The walk's hand is a record's number. Of each page all live blocks, then one of the held ones. */
uint32_t registry_next(uint64_t *hand, struct record_info *out) {
    struct record_info seen;
    uint32_t at = (uint32_t)*hand, number = 0;
    bool pinned = false;
    for (unsigned i = 0; i < WALK_PAGES && !pinned && pages_known() != 0; i++) {
        uint32_t page = at >> SLOT_BITS, slot = at & ((1u << SLOT_BITS) - 1);
        if (page == 0 || page > pages_known())
            page = 1, slot = 0;
        number = next_in_page(page, &slot, RECORD_LIVE, true, &seen);
        at = number != 0 ? number + 1 : (page + 1) << SLOT_BITS;
        pinned = number != 0 && registry_pin(seen.block, out);
        if (number == 0)
            pinned = (number = next_held(page, out)) != 0;
    }
    *hand = at;
    return pinned ? number : 0;
}

void registry_release(uint32_t id, const struct record_info *info, enum registry_sight sight) {
    struct shard *s = shard_of(info->block);
    if (info->state == RECORD_LIVE) {
        if (sight != SEEN_NOT)
            registry_saw(info->block, sight);
        registry_unpin(info->block, RECORD_LIVE);
        return;
    }
    plat_lock_acquire(&s->lock);
    struct record *r = shard_record(id);
    /* Else its address was handed out again, and the record is DEAD or another block's. */
    if (r->info.state == RECORD_SWEPT && r->info.sequence == info->sequence) {
        r->info.state = sight == SEEN_DAMAGED ? RECORD_SET_ASIDE : RECORD_HELD;
        if (sight != SEEN_NOT)
            r->seen = RECORD_SEEN(sight, plat_clock_ms());
    }
    plat_lock_release(&s->lock);
}

void registry_saw(uint64_t block, enum registry_sight sight) {
    struct shard *s = shard_of(block);
    plat_lock_acquire(&s->lock);
    struct record *r = shard_record(shard_lookup(s, block));
    if (RECORD_SEEN_SIGHT(r->seen) != SEEN_DAMAGED)
        r->seen = RECORD_SEEN(sight, plat_clock_ms());
    plat_lock_release(&s->lock);
}

enum registry_sight registry_seen(const struct record_info *info, uint32_t *time) {
    struct shard *s = shard_of(info->block);
    plat_lock_acquire(&s->lock);
    uint32_t number = shard_lookup(s, info->block);
    uint32_t seen = number != 0 ? shard_record(number)->seen : 0;
    plat_lock_release(&s->lock);
    *time = seen != 0 ? RECORD_SEEN_MS(seen) : info->time;
    if ((int32_t)(*time - info->time) < 0) /* what the steps have cut off */
        *time = info->time;
    return RECORD_SEEN_SIGHT(seen);
}

bool registry_counts(uint64_t every) {
    return (atomic_fetch_add_explicit(&registry.calls, 1, memory_order_relaxed) + 1) % every == 0;
}

void registry_at(uint32_t id, struct record_info *out) {
    struct shard *s = shard_of_page(id >> SLOT_BITS);
    plat_lock_acquire(&s->lock);
    *out = shard_record(id)->info;
    plat_lock_release(&s->lock);
}

void registry_each_record(void (*visit)(void *argument, uint32_t id,
                                        const struct record_info *info),
                          void *argument) {
    struct record_info info;
    for (uint32_t page = 1; page <= pages_known(); page++) {
        for (uint32_t slot = 0; slot < PAGE_RECORDS && shard_of_page(page) != NULL; slot++) {
            registry_at(page << SLOT_BITS | slot, &info);
            if (info.state != RECORD_NONE && info.state != RECORD_GHOST &&
                info.state != RECORD_DEAD)
                visit(argument, page << SLOT_BITS | slot, &info);
        }
    }
}

/* Relaxed is exact: what happens before or after the mark reads an earlier or a later value of one variable. */
uint32_t registry_mark(void) {
    uint32_t last = atomic_load_explicit(&registry.mark, memory_order_relaxed);
    while (last != UINT32_MAX &&
           !atomic_compare_exchange_weak_explicit(&registry.mark, &last, last + 1,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
    return last != UINT32_MAX ? last + 1 : last;
}

uint64_t registry_bytes(void) {
    plat_lock_acquire(&registry.lock);
    uint64_t bytes = registry.segment_bytes + (uint64_t)pages_known() * PAGE;
    plat_lock_release(&registry.lock);
    uint64_t parts = pages_known() != 0 ? (pages_known() >> PART_BITS) + 1 : 0;
    return bytes + parts * (sizeof(void *) << PART_BITS);
}
