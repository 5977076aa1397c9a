/*
 * What accounts did on mixed slabs and in spans: the counters of every heap and of threads without
 * one.
 */
#include "stats/reader.h"

enum pass_kind { PASS_FREES, PASS_ALLOCS };

struct chunk {
    struct counters counters[CHUNK_ACCOUNTS];
};

/*
 * Frees pass: frees and bytes_out; allocs pass: allocs and bytes_in. `first` is the chunk's first
 * account.
 */
static void chunk_add(struct rxpool_stats *s, enum pass_kind kind, const struct chunk *chunk,
                      uint32_t first) {
    for (uint32_t i = 0; i < CHUNK_ACCOUNTS && first + i < s->root.account_high; i++) {
        const struct counters *c = &chunk->counters[i];
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

static enum rxpool_stats_status chunk_read(struct rxpool_stats *s, enum pass_kind kind,
                                           uint64_t address, uint32_t first,
                                           struct rxpool_stats_error *error) {
    struct chunk chunk;
    uint32_t left = s->root.account_high - first;
    uint32_t count = left < CHUNK_ACCOUNTS ? left : CHUNK_ACCOUNTS;

    if (!memory_read(&s->memory, address, &chunk, count * sizeof(chunk.counters[0])))
        return stats_unreadable(s, "counters", address, error);
    chunk_add(s, kind, &chunk, first);
    return RXPOOL_STATS_OK;
}

static enum rxpool_stats_status heap_read(struct rxpool_stats *s, enum pass_kind kind,
                                          const struct heap_public *heap,
                                          struct rxpool_stats_error *error) {
    for (uint32_t first = 0; first < s->root.account_high; first += CHUNK_ACCOUNTS) {
        uint64_t address = heap->chunk[first / CHUNK_ACCOUNTS];
        enum rxpool_stats_status status =
            address == 0 ? RXPOOL_STATS_OK : chunk_read(s, kind, address, first, error);
        if (status != RXPOOL_STATS_OK)
            return status;
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
        enum rxpool_stats_status status = heap_read(s, kind, &heap, error);
        if (status != RXPOOL_STATS_OK)
            return status;
    }
    return RXPOOL_STATS_OK;
}

static enum rxpool_stats_status counters_pass(struct rxpool_stats *s, enum pass_kind kind,
                                              struct rxpool_stats_error *error) {
    for (uint32_t first = 0; first < s->root.account_high; first += CHUNK_ACCOUNTS) {
        enum rxpool_stats_status status = chunk_read(
            s, kind, s->root.shared_counters + first * sizeof(struct counters), first, error);
        if (status != RXPOOL_STATS_OK)
            return status;
    }
    return heaps_read(s, kind, error);
}

enum rxpool_stats_status scan_counters(struct rxpool_stats *s, struct rxpool_stats_error *error) {
    enum rxpool_stats_status status = counters_pass(s, PASS_FREES, error);
    return status != RXPOOL_STATS_OK ? status : counters_pass(s, PASS_ALLOCS, error);
}
