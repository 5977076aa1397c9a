/* The quarantine: see quarantine.h. */
#include "check/quarantine.h"

#include "base/options.h"
#include "check/block.h"

#define RXPOOL_CHECKED 1
#include <ntrxdef.h>

#define PAGED 1u /* in a POOL_TYPE, and the index of a queue */

static uint64_t held_bytes(const struct record_info *info) {
    return (uint64_t)info->size + info->back + info->tail;
}

static void push(struct shard *s, struct queue *q, uint32_t index) {
    struct record *r = &s->records[index];
    r->queue_next = 0;
    if (q->head == 0)
        q->head = index;
    else
        s->records[q->tail].queue_next = index;
    q->tail = index;
    q->bytes += held_bytes(&r->info);
}

/* The next block to leave has lain untouched for long: its record and bytes may be here by then. */
static void fetch_ahead(const struct shard *s, const struct queue *q) {
    const struct record *next = &s->records[q->head];
    uintptr_t header =
        (uintptr_t)next->info.block - BLOCK_HEADER; /* no address when the queue is empty */
    RXP_PREFETCH((const void *)header);
    RXP_PREFETCH((const void *)(header + BLOCK_CACHE_LINE));
    RXP_PREFETCH(&s->records[next->queue_next]);
}

/* Takes the oldest block off the queue; false when there is none that is ready to leave. */
static bool pop(struct shard *s, struct queue *q, struct record_info *out) {
    while (q->head != 0) {
        uint32_t index = q->head;
        struct record *r = &s->records[index];
        if (r->info.state == RECORD_HELD &&
            !atomic_load_explicit(&r->filled, memory_order_acquire)) {
            if (r->generation == registry_generation())
                return false;
            r->info.state = RECORD_SET_ASIDE; /* half filled by a thread of the parent process */
        }
        q->head = r->queue_next;
        q->bytes -= held_bytes(&r->info);
        if (r->info.state == RECORD_HELD) {
            *out = r->info;
            r->info.state = RECORD_GHOST;
            s->ghosts++;
            fetch_ahead(s, q);
            return true;
        }
        if (r->info.state == RECORD_DEAD)
            registry_recycle(s, index);
    }
    return false;
}

/* Lets blocks leave while the shard holds more than its share. */
static void make_room(struct shard *s, uint64_t share, struct take *t) {
    while (t->victims < QUARANTINE_VICTIMS) {
        uint64_t nonpaged = s->held[0].bytes, paged = s->held[PAGED].bytes;
        if (nonpaged + paged <= share)
            return;
        unsigned from = paged > nonpaged && t->irql <= APC_LEVEL ? PAGED : 0;
        if (!pop(s, &s->held[from], &t->victim[t->victims]))
            return;
        t->victims++;
    }
}

/* What stands in the way of a free of this record. */
static enum take_verdict judge(const struct record_info *info, const struct take *t) {
    if (info->state != RECORD_LIVE)
        return TAKE_NOT_LIVE;
    if (info->kind == RECORD_SIGNED)
        return TAKE_SIGNED;
    if (t->tag != 0 && ((t->tag ^ info->tag) & ~(uint32_t)PROTECTED_POOL) != 0)
        return TAKE_WRONG_TAG;
    if (t->irql > (info->type & PAGED ? APC_LEVEL : t->irql_most))
        return TAKE_WRONG_IRQL;
    return info->kind == RECORD_OTHERS ? TAKE_OTHERS : TAKE_HELD;
}

static enum take_verdict take_record(struct shard *s, uint32_t index, struct take *t) {
    struct record *r = registry_settled(&s->records[index]);
    enum take_verdict verdict = judge(&r->info, t);
    t->info = r->info;
    if (verdict != TAKE_HELD)
        return verdict;
    uint64_t share = options_get()->quarantine / REGISTRY_SHARDS;
    r->info.free_site = t->site;
    r->info.free_thread = plat_thread_id();
    if (held_bytes(&r->info) > share) {
        r->info.state = RECORD_GHOST;
        s->ghosts++;
        return TAKE_DIRECT;
    }
    r->info.state = RECORD_HELD;
    r->generation = registry_generation();
    atomic_store_explicit(&r->filled, 0, memory_order_relaxed);
    push(s, &s->held[r->info.type & PAGED], index);
    t->record = r;
    make_room(s, share, t);
    return TAKE_HELD;
}

enum take_verdict quarantine_take(struct take *t) {
    struct shard *s = registry_shard(t->block);
    t->victims = 0;
    for (;;) {
        enum take_verdict verdict = TAKE_UNKNOWN;
        spin_acquire(&s->lock);
        uint32_t index = registry_lookup(s, t->block);
        if (index != 0)
            verdict = take_record(s, index, t);
        spin_release(&s->lock);
        if (verdict != TAKE_NOT_LIVE || t->info.state != RECORD_BUSY)
            return verdict;
        plat_yield(); /* another thread reads the block: it must stay until that is done */
    }
}

void quarantine_filled(struct record *record) {
    atomic_store_explicit(&record->filled, 1, memory_order_release);
}

void quarantine_set_aside(uint64_t block) {
    struct shard *s = registry_shard(block);
    spin_acquire(&s->lock);
    struct record_info *info = &s->records[registry_lookup(s, block)].info;
    if (info->state == RECORD_GHOST)
        s->ghosts--;
    info->state = RECORD_SET_ASIDE;
    spin_release(&s->lock);
}

bool quarantine_pop(unsigned index, bool paged, struct record_info *out) {
    struct shard *s = registry_shard_at(index);
    spin_acquire(&s->lock);
    bool found = pop(s, &s->held[paged], out);
    spin_release(&s->lock);
    return found;
}
