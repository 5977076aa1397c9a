/*
 * What accounts did on mixed slabs and in spans: the counters and flows of every heap, and the counters of threads
 * without one.
 */
#include "stats/reader.h"

enum pass_kind { PASS_FREES, PASS_ALLOCS };

#define AT_ONCE 256u
#define CARRY_TRIES 200

/* The same accounts' counters and flows, between two looks at what their heap is carrying. */
struct stretch {
    struct heap_public before, after;
    struct counters counters[AT_ONCE];
    struct flow flows[AT_ONCE];
};

/*
 * Frees pass: frees and bytes_out; allocs pass: allocs and bytes_in. `first` is the first one's account.
 */
static void counters_add(struct rxpool_stats *s, enum pass_kind kind, const struct counters *c,
                         uint32_t first, uint32_t count) {
    for (uint32_t i = 0; i < count; i++, c++) {
        struct tally *t = stats_tally(s, first + i);
        if (kind == PASS_FREES) {
            t->frees += c->frees;
            t->bytes_out += c->bytes_out;
        } else {
            t->allocs += c->allocs;
            t->bytes_in += c->bytes_in;
        }
    }
}

static void flows_add(struct rxpool_stats *s, enum pass_kind kind, const struct flow *f,
                      uint32_t first, uint32_t count) {
    for (uint32_t i = 0; i < count; i++, f++) {
        struct tally *t = stats_tally(s, first + i);
        if (kind == PASS_FREES) {
            t->frees += FLOW_BLOCKS(f->out);
            t->bytes_out += FLOW_BYTES(f->out);
        } else {
            t->allocs += FLOW_BLOCKS(FLOW_OUT(f->in));
            t->bytes_in += FLOW_BYTES(FLOW_OUT(f->in));
        }
    }
}

/* Those of threads without a heap. */
static enum rxpool_stats_status shared_read(struct rxpool_stats *s, enum pass_kind kind,
                                            struct rxpool_stats_error *error) {
    struct counters counters[AT_ONCE];

    for (uint32_t first = 0; first < s->root.account_high; first += AT_ONCE) {
        uint32_t left = s->root.account_high - first, count = left < AT_ONCE ? left : AT_ONCE;
        uint64_t at = s->root.shared_counters + first * sizeof(counters[0]);
        if (!memory_read(&s->memory, at, counters, count * sizeof(counters[0])))
            return stats_unreadable(s, "counters", at, error);
        counters_add(s, kind, counters, first, count);
    }
    return RXPOOL_STATS_OK;
}

static bool carried_meanwhile(const struct stretch *p) {
    return p->before.carries != p->after.carries || p->before.carrying != 0 ||
           p->after.carrying != 0;
}

/*
 * One stretch of a heap's accounts, again where a flow was carried meanwhile, which is once in millions of blocks. Frozen
 * that way, the account is torn.
 */
static enum rxpool_stats_status stretch_read(struct rxpool_stats *s, uint64_t address,
                                             struct stretch *p, uint32_t first, uint32_t count,
                                             struct rxpool_stats_error *error) {
    uint64_t counters = p->before.counters + first * sizeof(p->counters[0]);
    uint64_t flows = p->before.flows + first * sizeof(p->flows[0]);
    const struct piece pieces[] = {{address, &p->before, sizeof(p->before)},
                                   {counters, p->counters, count * sizeof(p->counters[0])},
                                   {flows, p->flows, count * sizeof(p->flows[0])},
                                   {address, &p->after, sizeof(p->after)}};
    int tries = s->memory.frozen ? 1 : CARRY_TRIES;

    do {
        if (!s->memory.read(&s->memory, pieces, RXP_COUNT(pieces)))
            return stats_unreadable(s, "counters", counters, error);
    } while (carried_meanwhile(p) && --tries > 0);
    if (carried_meanwhile(p) && p->before.carrying - first < count)
        stats_tally(s, p->before.carrying)->torn = true;
    return RXPOOL_STATS_OK;
}

/* A heap's accounts that the root knows. */
static enum rxpool_stats_status heap_read(struct rxpool_stats *s, enum pass_kind kind,
                                          uint64_t address, const struct heap_public *heap,
                                          struct rxpool_stats_error *error) {
    struct stretch p = {.before = *heap};
    uint32_t high = heap->counters_high;

    if (high > s->root.account_high)
        high = s->root.account_high;
    for (uint32_t first = 0; first < high; first += AT_ONCE) {
        uint32_t left = high - first, count = left < AT_ONCE ? left : AT_ONCE;
        enum rxpool_stats_status status = stretch_read(s, address, &p, first, count, error);
        if (status != RXPOOL_STATS_OK)
            return status;
        counters_add(s, kind, p.counters, first, count);
        flows_add(s, kind, p.flows, first, count);
    }
    return RXPOOL_STATS_OK;
}

/*
 * The newest heap comes first, and ids rise: a chain whose ids do not fall is damaged and may be a
 * loop.
 */
static enum rxpool_stats_status heaps_read(struct rxpool_stats *s, enum pass_kind kind,
                                           struct rxpool_stats_error *error) {
    struct heap_public heap;
    uint32_t last_id = UINT32_MAX;

    s->summary.heaps = 0;
    for (uint64_t address = s->root.heaps; address != 0; address = heap.next_heap) {
        if (!memory_read(&s->memory, address, &heap, sizeof(heap)))
            return stats_unreadable(s, "a heap", address, error);
        if (heap.id >= last_id)
            return stats_fail(
                error, RXPOOL_STATS_DAMAGED,
                "the pool's chain of heaps is damaged: heap %u at 0x%llx follows heap %u", heap.id,
                (unsigned long long)address, last_id);
        last_id = heap.id;
        s->summary.heaps++;
        enum rxpool_stats_status status = heap_read(s, kind, address, &heap, error);
        if (status != RXPOOL_STATS_OK)
            return status;
    }
    return RXPOOL_STATS_OK;
}

static enum rxpool_stats_status counters_pass(struct rxpool_stats *s, enum pass_kind kind,
                                              struct rxpool_stats_error *error) {
    enum rxpool_stats_status status = shared_read(s, kind, error);
    return status != RXPOOL_STATS_OK ? status : heaps_read(s, kind, error);
}

enum rxpool_stats_status scan_counters(struct rxpool_stats *s, struct rxpool_stats_error *error) {
    enum rxpool_stats_status status = counters_pass(s, PASS_FREES, error);
    return status != RXPOOL_STATS_OK ? status : counters_pass(s, PASS_ALLOCS, error);
}
