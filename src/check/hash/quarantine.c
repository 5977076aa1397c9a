/* The quarantine for a kernel: each shard holds its share of quarantine=; see shard.h. */
#include "check/block.h"
#include "check/hash/shard.h"
#include "check/take.h"

static uint64_t share(void) {
    return options_get()->quarantine / REGISTRY_SHARDS;
}

/* --- queues: under the shard's lock -------------------------------------------------------------- */

static void push(struct shard *s, uint32_t index) {
    struct record *r = shard_record(index);
    struct queue *q = &s->held[r->info.type & TAKE_PAGED];
    r->queue_next = 0;
    if (q->head == 0)
        q->head = index;
    else
        shard_record(q->tail)->queue_next = index;
    q->tail = index;
    q->bytes += take_held_bytes(&r->info);
}

static uint32_t take_oldest(struct queue *q) {
    uint32_t index = q->head;
    struct record *r = shard_record(index);
    q->head = r->queue_next;
    q->bytes -= take_held_bytes(&r->info);
    return index;
}

/*
 * Takes the oldest block off the queue; false when there is none, or when the first few are being looked at
 * and go to the queue's end.
 */
static bool pop(struct shard *s, struct queue *q, struct record_info *out) {
    for (unsigned i = 0; i < SHARD_STEPS && q->head != 0; i++) {
        uint32_t index = take_oldest(q);
        struct record_info *info = &shard_record(index)->info;
        if (info->state == RECORD_HELD) {
            *out = *info;
            info->state = RECORD_GHOST;
            s->ghosts++;
            return true;
        }
        if (info->state == RECORD_SWEPT)
            push(s, index);
        else if (info->state == RECORD_DEAD)
            shard_recycle(s, index);
    }
    return false;
}

/* Lets blocks leave while the shard holds more than its share. */
static void make_room(struct shard *s, struct take *t) {
    t->victims = 0;
    t->more = false;
    for (;;) {
        uint64_t nonpaged = s->held[0].bytes, paged = s->held[TAKE_PAGED].bytes;
        if (nonpaged + paged <= share())
            return;
        if (t->victims == QUARANTINE_VICTIMS) {
            t->more = true;
            return;
        }
        unsigned from = paged > nonpaged && t->irql <= APC_LEVEL ? TAKE_PAGED : 0;
        if (!pop(s, &s->held[from], &t->victim[t->victims]))
            return;
        t->victims++;
    }
}

/* --- the life of a block after its free ---------------------------------------------------------- */

static enum take_verdict take_record(struct shard *s, uint32_t index, struct take *t) {
    struct record_info *info = &shard_record(index)->info;
    enum take_verdict verdict = take_judge(info, t);
    t->info = *info;
    t->number = index;
    if (verdict != TAKE_HELD && verdict != TAKE_DIRECT)
        return verdict;
    info->free_site = t->site;
    info->free_thread = plat_thread_id();
    info->state = verdict == TAKE_HELD ? RECORD_FILLING : RECORD_GHOST;
    s->ghosts += verdict == TAKE_DIRECT;
    return verdict;
}

enum take_verdict quarantine_take(struct take *t) {
    struct shard *s = shard_of(t->block);
    t->victims = 0;
    t->more = t->surplus = t->told = false;
    for (;;) {
        enum take_verdict verdict = TAKE_UNKNOWN;
        plat_lock_acquire(&s->lock);
        uint32_t index = shard_lookup(s, t->block);
        if (index != 0)
            verdict = take_record(s, index, t);
        plat_lock_release(&s->lock);
        if (verdict != TAKE_NOT_LIVE || t->info.state != RECORD_BUSY)
            return verdict;
        /* Another thread reads the block: it must stay until that is done. */
        if ((t->info.type & TAKE_PAGED) != 0 && t->irql > APC_LEVEL)
            return TAKE_WRONG_IRQL; /* on this very processor, it may be */
        plat_yield();
    }
}

void quarantine_keep(struct take *t) {
    struct shard *s = shard_of(t->block);
    plat_lock_acquire(&s->lock);
    if (shard_record(t->number)->info.state == RECORD_FILLING) {
        shard_record(t->number)->info.state = RECORD_HELD;
        shard_record(t->number)->seen = RECORD_SEEN(SEEN_AT_FREE, plat_clock_ms());
        push(s, t->number);
        make_room(s, t);
    } else {
        shard_recycle(s, t->number); /* DEAD: its address was handed out again */
    }
    plat_lock_release(&s->lock);
}

void quarantine_go_on(struct take *t) {
    struct shard *s = shard_of(t->block);
    plat_lock_acquire(&s->lock);
    make_room(s, t);
    plat_lock_release(&s->lock);
}

void quarantine_set_aside(uint64_t block) {
    struct shard *s = shard_of(block);
    plat_lock_acquire(&s->lock);
    uint32_t index = shard_lookup(s, block);
    if (index != 0) {
        struct record_info *info = &shard_record(index)->info;
        s->ghosts -= info->state == RECORD_GHOST;
        info->state = RECORD_SET_ASIDE;
    }
    plat_lock_release(&s->lock);
}

unsigned quarantine_pop(struct record_info out[QUARANTINE_BATCH], bool paged, bool any) {
    unsigned count = 0;
    for (unsigned i = 0; any && i < REGISTRY_SHARDS && count < QUARANTINE_BATCH; i++) {
        struct shard *s = shard_at(i);
        plat_lock_acquire(&s->lock);
        while (count < QUARANTINE_BATCH && (pop(s, &s->held[0], &out[count]) ||
                                            (paged && pop(s, &s->held[TAKE_PAGED], &out[count]))))
            count++;
        plat_lock_release(&s->lock);
    }
    return count;
}
