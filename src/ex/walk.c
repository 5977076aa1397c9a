/*
 * One walker for every invariant, and the totals that come from the same pass.
 */
#include "ex/account.h"
#include "ex/range.h"
#include "ex/slab.h"
#include "ex/special.h"

#define TOTALS_TRIES 100u

static struct slab *walk_slabs(const struct root *root) {
    return (struct slab *)root->slabs;
}

/* What a sealed heap's vanished thread was doing at the fork stays half done. */
static bool walkable(const struct slab *slab) {
    uint8_t kind = STATE_LOAD(&slab->kind);
    return (kind == SLAB_OWN || kind == SLAB_MIXED) &&
           STATE_LOAD(&heap_by_id(slab_owner(slab))->public.state) != HEAP_SEALED;
}

const char *engine_walk(void) {
    if (engine_root() == NULL)
        return NULL;
    for (unsigned n = 0; range_root(n) != NULL; n++) {
        const struct root *root = range_root(n);
        for (uint64_t i = 1; i < STATE_LOAD(&root->slab_high); i++) {
            const struct slab *slab = &walk_slabs(root)[i];
            const char *wrong = walkable(slab) ? slab_walk(slab) : NULL;
            if (STATE_LOAD(&slab->kind) == SLAB_SPECIAL)
                wrong = special_walk(slab);
            if (wrong != NULL)
                return wrong;
        }
    }
    for (struct heap *h = heap_first(); h != NULL; h = (struct heap *)h->public.next_heap) {
        const char *wrong = STATE_LOAD(&h->public.state) == HEAP_SEALED ? NULL : slab_walk_heap(h);
        if (wrong != NULL)
            return wrong;
    }
    return range_walk();
}

/* Live figures of own slabs; the rest is in counters. */
static void total_slabs(const struct root *root, struct engine_totals *out) {
    for (uint64_t i = 1; i < STATE_LOAD(&root->slab_high); i++) {
        const struct slab *slab = &walk_slabs(root)[i];
        if (STATE_LOAD(&slab->kind) == SLAB_OWN) {
            uint64_t live = slab_counted(slab);
            out->live_blocks += live;
            out->live_bytes += live * slab->block_size;
        } else if (STATE_LOAD(&slab->kind) == SLAB_SPAN) {
            out->span_blocks++;
            out->span_bytes += slab->span_bytes;
        }
    }
}

static void total_flow(const struct flow *f, struct engine_totals *out) {
    uint64_t in = FLOW_OUT(STATE_LOAD(&f->in)), gone = STATE_LOAD(&f->out);

    out->live_blocks += FLOW_BLOCKS(in) - FLOW_BLOCKS(gone);
    out->live_bytes += FLOW_BYTES(in) - FLOW_BYTES(gone);
}

static void total_counters(const struct counters *c, struct engine_totals *out) {
    out->live_blocks += STATE_LOAD(&c->allocs) - STATE_LOAD(&c->frees);
    out->live_bytes += STATE_LOAD(&c->bytes_in) - STATE_LOAD(&c->bytes_out);
}

/* Of all accounts: how many folds have ended, or begun. */
static uint64_t folds(bool begun) {
    uint64_t n = 0;

    for (uint32_t id = 1; id < STATE_LOAD(&engine_root()->account_high); id++) {
        struct account *a = account_at(id);
        n += atomic_load_explicit(begun ? &a->fold_begin : &a->fold_end, memory_order_acquire);
    }
    return n;
}

static void total_all(const struct root *root, struct engine_totals *out) {
    *out = (struct engine_totals){0};
    for (unsigned n = 0; range_root(n) != NULL; n++)
        total_slabs(range_root(n), out);
    for (struct heap *h = heap_first(); h != NULL; h = (struct heap *)h->public.next_heap)
        for (uint32_t id = 1; id < STATE_LOAD(&h->public.counters_high); id++) {
            total_counters(heap_counters(h, id), out);
            total_flow(&h->flows[id], out);
        }
    for (uint32_t id = 1; id < STATE_LOAD(&root->account_high); id++)
        total_counters(account_shared_counters(id), out);
}

/* Threads that end move figures from slab to slab in folds: what is added up while there was one is added up again. */
void engine_totals(struct engine_totals *out) {
    const struct root *root = engine_root();

    *out = (struct engine_totals){0};
    if (root == NULL)
        return;
    for (unsigned tries = 0; tries < TOTALS_TRIES; tries++) {
        uint64_t ended = folds(false);
        total_all(root, out);
        if (folds(true) == ended)
            break;
    }
    out->mapped_bytes = STATE_LOAD(&root->live_bytes);
    out->idle_bytes = STATE_LOAD(&root->dirty_bytes);
}
