/* The registry: see registry.h. */
#include "check/registry.h"

#define GHOSTS_KEPT 1024u /* in a shard: 4 MiB in all; enough for the frees of the last moments */
#define HAND_STEPS 64u    /* records looked at for a ghost before a new one is carved */
#define BUCKETS_FIRST 256u
#define SEQUENCE_STEP 64u
#define COMMIT_STEP ((size_t)64 << 10)
#define SHARD_RECORDS_MAX (1u << 22) /* 268 million blocks in all */
#define SHARD_RECORDS_MIN (1u << 10)

static struct {
    struct shard shard[REGISTRY_SHARDS];
    struct plat_lock start_lock, sequence_lock;
    uint32_t sequence;
    uint32_t shard_records; /* reserved for each shard */
    uint8_t generation;
    _Atomic bool ready;
} registry;

/* --- start ----------------------------------------------------------------------------------- */

static void fork_prepare(void) {
    for (unsigned i = 0; i < REGISTRY_SHARDS; i++)
        spin_acquire(&registry.shard[i].lock);
    plat_lock_acquire(&registry.sequence_lock);
}

static void fork_done(void) {
    plat_lock_release(&registry.sequence_lock);
    for (unsigned i = REGISTRY_SHARDS; i-- > 0;)
        spin_release(&registry.shard[i].lock);
}

static void fork_child(void) {
    registry.generation++;
    fork_done();
}

uint8_t registry_generation(void) {
    return registry.generation;
}

static size_t shard_bytes(uint32_t records) {
    return (size_t)records * (sizeof(struct record) + sizeof(uint32_t));
}

/* One reservation for all shards, smaller where the address space is short. */
static unsigned char *reserve(uint32_t *records) {
    size_t room = plat_address_space_left() / 16;
    for (*records = SHARD_RECORDS_MAX; *records >= SHARD_RECORDS_MIN; *records /= 2) {
        size_t size = REGISTRY_SHARDS * shard_bytes(*records);
        if (size > room)
            continue;
        size = rxp_round_up(size, COMMIT_STEP);
        unsigned char *base = plat_reserve(size, COMMIT_STEP);
        if (base != NULL)
            return base;
    }
    return NULL;
}

static bool start(void) {
    uint32_t records;
    unsigned char *base = reserve(&records);
    if (base == NULL)
        return false;
    registry.shard_records = records;
    for (unsigned i = 0; i < REGISTRY_SHARDS; i++) {
        struct shard *s = &registry.shard[i];
        s->records = (struct record *)(void *)(base + i * shard_bytes(records));
        s->buckets = (uint32_t *)(void *)(s->records + records);
        s->bucket_count = BUCKETS_FIRST;
        s->high_mask = 2 * BUCKETS_FIRST - 1;
        s->carved = 1;
        s->hand = 1;
    }
    plat_at_fork(fork_prepare, fork_done, fork_child);
    return true;
}

bool registry_ready(void) {
    if (RXP_LIKELY(atomic_load_explicit(&registry.ready, memory_order_acquire)))
        return true;
    plat_lock_acquire(&registry.start_lock);
    bool ready = atomic_load_explicit(&registry.ready, memory_order_relaxed) || start();
    atomic_store_explicit(&registry.ready, ready, memory_order_release);
    plat_lock_release(&registry.start_lock);
    return ready;
}

/* --- shards ---------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x) {
    x *= 0x9E3779B97F4A7C15u;
    return x ^ x >> 32;
}

struct shard *registry_shard(uint64_t block) {
    return &registry.shard[mix(block >> 16) % REGISTRY_SHARDS];
}

struct shard *registry_shard_at(unsigned index) {
    return &registry.shard[index];
}

struct record *registry_record(struct shard *s, uint32_t index) {
    return &s->records[index];
}

static uint32_t *bucket_of(struct shard *s, uint64_t block) {
    uint32_t b = (uint32_t)mix(block >> 4) & s->high_mask;
    return &s->buckets[b < s->bucket_count ? b : b & s->high_mask >> 1];
}

uint32_t registry_lookup(struct shard *s, uint64_t block) {
    if (s->entries == 0) /* also: the buckets may not be there yet */
        return 0;
    uint32_t i = *bucket_of(s, block);
    while (i != 0 && s->records[i].info.block != block)
        i = s->records[i].next;
    return i;
}

/* Commits what `have` items of `size` bytes lack towards one more; false when refused. */
static bool grow(void *base, uint32_t *have, uint32_t most, size_t size) {
    size_t old = *have * size, step = rxp_round_up(old / 4, COMMIT_STEP);
    if (step == 0)
        step = COMMIT_STEP;
    if (old + step > most * size)
        step = most * size - old;
    if (step == 0 || !plat_commit((unsigned char *)base + old, step))
        return false;
    *have = (uint32_t)((old + step) / size);
    return true;
}

/* One more bucket: it takes what belongs to it from the bucket that served for both. */
static void split_bucket(struct shard *s) {
    if (s->bucket_count == s->bucket_limit &&
        !grow(s->buckets, &s->bucket_limit, registry.shard_records, sizeof(uint32_t)))
        return;
    uint32_t fresh = s->bucket_count++;
    uint32_t *from = &s->buckets[fresh & s->high_mask >> 1], *to = &s->buckets[fresh];
    if (s->bucket_count > s->high_mask)
        s->high_mask = 2 * s->bucket_count - 1;
    *to = 0;
    while (*from != 0) {
        struct record *r = &s->records[*from];
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

static void link_record(struct shard *s, uint32_t index) {
    uint32_t *bucket = bucket_of(s, s->records[index].info.block);
    s->records[index].next = *bucket;
    *bucket = index;
    if (++s->entries > s->bucket_count)
        split_bucket(s);
}

static void unlink_record(struct shard *s, uint32_t index) {
    uint32_t *at = bucket_of(s, s->records[index].info.block);
    while (*at != index)
        at = &s->records[*at].next;
    *at = s->records[index].next;
    s->entries--;
}

/* Takes the next ghost within `steps` records out of its bucket; 0 when there is none. */
static uint32_t reuse_ghost(struct shard *s, uint32_t steps) {
    for (; steps > 0; steps--) {
        uint32_t i = s->hand;
        s->hand = i + 1 < s->carved ? i + 1 : 1;
        if (s->records[i].info.state != RECORD_GHOST)
            continue;
        unlink_record(s, i);
        s->ghosts--;
        return i;
    }
    return 0;
}

/* A record in no bucket; 0 when there is no memory for one. */
static uint32_t new_record(struct shard *s) {
    uint32_t i = s->unused;
    if (i != 0) {
        s->unused = s->records[i].next;
        return i;
    }
    if (s->ghosts > GHOSTS_KEPT && (i = reuse_ghost(s, HAND_STEPS)) != 0)
        return i;
    if (s->bucket_limit == 0 &&
        !grow(s->buckets, &s->bucket_limit, registry.shard_records, sizeof(uint32_t)))
        return 0;
    if (s->carved >= s->record_limit &&
        !grow(s->records, &s->record_limit, registry.shard_records, sizeof(struct record)))
        return s->ghosts != 0 ? reuse_ghost(s, s->carved) : 0;
    return s->carved++;
}

void registry_recycle(struct shard *s, uint32_t index) {
    s->records[index].info.state = RECORD_NONE;
    s->records[index].next = s->unused;
    s->unused = index;
}

static uint32_t next_sequence(struct shard *s) {
    if (s->sequence == s->sequence_end) {
        plat_lock_acquire(&registry.sequence_lock);
        s->sequence = registry.sequence;
        registry.sequence += SEQUENCE_STEP;
        plat_lock_release(&registry.sequence_lock);
        s->sequence_end = s->sequence + SEQUENCE_STEP;
    }
    return ++s->sequence;
}

/* --- records --------------------------------------------------------------------------------- */

/*
 * The record to use for an address that the pool has just handed out: what an older block left there
 * (a ghost, or a block that was freed behind our back), or a new one. 0 when there is no memory.
 */
static uint32_t record_for(struct shard *s, uint64_t block) {
    uint32_t i = registry_lookup(s, block);
    if (i != 0) {
        uint8_t *state = &s->records[i].info.state;
        if (*state == RECORD_GHOST)
            s->ghosts--;
        if (*state != RECORD_HELD)
            return i;
        unlink_record(s, i);
        *state = RECORD_DEAD;
    }
    i = new_record(s);
    if (i != 0) {
        s->records[i].info.block = block;
        link_record(s, i);
    }
    return i;
}

bool registry_insert(const struct record_info *info) {
    struct shard *s = registry_shard(info->block);
    spin_acquire(&s->lock);
    uint32_t i = record_for(s, info->block);
    if (i != 0) {
        s->records[i].info = *info;
        s->records[i].info.state = RECORD_LIVE;
        s->records[i].info.sequence = next_sequence(s);
    }
    spin_release(&s->lock);
    return i != 0;
}

bool registry_find(uint64_t block, struct record_info *out) {
    struct shard *s = registry_shard(block);
    spin_acquire(&s->lock);
    uint32_t i = registry_lookup(s, block);
    if (i != 0)
        *out = s->records[i].info;
    spin_release(&s->lock);
    return i != 0;
}

struct record *registry_settled(struct record *r) {
    if (RXP_UNLIKELY(r->info.state == RECORD_BUSY) && r->generation != registry.generation)
        r->info.state = RECORD_LIVE;
    return r;
}

bool registry_pin(uint64_t block, struct record_info *out) {
    struct shard *s = registry_shard(block);
    for (;;) {
        spin_acquire(&s->lock);
        uint32_t i = registry_lookup(s, block);
        out->state = RECORD_NONE;
        if (i != 0)
            *out = registry_settled(&s->records[i])->info;
        if (out->state == RECORD_LIVE) {
            s->records[i].info.state = RECORD_BUSY;
            s->records[i].generation = registry.generation;
        }
        spin_release(&s->lock);
        if (out->state != RECORD_BUSY)
            return out->state == RECORD_LIVE;
        plat_yield();
    }
}

void registry_unpin(uint64_t block, enum record_state state) {
    struct shard *s = registry_shard(block);
    spin_acquire(&s->lock);
    s->records[registry_lookup(s, block)].info.state = (uint8_t)state;
    spin_release(&s->lock);
}

void registry_forget(uint64_t block, uint32_t free_site) {
    struct shard *s = registry_shard(block);
    spin_acquire(&s->lock);
    uint32_t i = registry_lookup(s, block);
    if (i != 0) {
        struct record_info *info = &s->records[i].info;
        info->state = RECORD_GHOST;
        info->free_site = free_site;
        info->free_thread = plat_thread_id();
        s->ghosts++;
    }
    spin_release(&s->lock);
}

void registry_each_live(void (*visit)(void *argument, const struct record_info *info),
                        void *argument) {
    if (!registry_ready())
        return;
    for (unsigned n = 0; n < REGISTRY_SHARDS; n++) {
        struct shard *s = &registry.shard[n];
        uint32_t i = 1, end;
        do {
            struct record_info info = {.state = RECORD_NONE};
            spin_acquire(&s->lock);
            end = s->carved;
            while (i < end && s->records[i].info.state != RECORD_LIVE)
                i++;
            if (i < end)
                info = s->records[i++].info;
            spin_release(&s->lock);
            if (info.state == RECORD_LIVE)
                visit(argument, &info);
        } while (i < end);
    }
}

uint64_t registry_bytes(void) {
    uint64_t bytes = 0;
    for (unsigned n = 0; n < REGISTRY_SHARDS; n++) {
        struct shard *s = &registry.shard[n];
        spin_acquire(&s->lock);
        if (s->records != NULL)
            bytes += s->carved * sizeof(struct record) + s->bucket_count * sizeof(uint32_t);
        spin_release(&s->lock);
    }
    return bytes;
}
