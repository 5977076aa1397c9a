/* Slab descriptors, and what makes their figures exact (reader.h). */
#include <string.h>

#include "stats/reader.h"

#define SLABS_AT_ONCE 256u
#define SLAB_TRIES 64
#define WINDOW_TRIES 200

/* The same descriptors, copied three times in this order. */
struct block {
    struct slab before[SLABS_AT_ONCE], values[SLABS_AT_ONCE], after[SLABS_AT_ONCE];
};

static bool slabs_read(struct rxpool_stats *s, uint64_t address, struct block *b, size_t count) {
    size_t size = count * sizeof(struct slab);
    const struct piece pieces[] = {
        {address, b->before, size}, {address, b->values, size}, {address, b->after, size}};
    return s->memory.read(&s->memory, pieces, RXP_COUNT(pieces));
}

static bool slab_stable(const struct block *b, size_t i) {
    return b->before[i].generation == b->after[i].generation && b->after[i].generation % 2 == 0;
}

static bool seen_add(struct rxpool_stats *s, const struct slab *slab, uint64_t address) {
    if (slab->kind != SLAB_OWN || slab->account == 0)
        return true;
    if (!area_reserve(&s->seen, (s->seen_count + 1) * sizeof(struct seen)))
        return false;
    struct tally *t = stats_tally(s, slab->account);
    struct seen *seen = (struct seen *)s->seen.start + s->seen_count++;
    *seen = (struct seen){
        .address = address,
        .generation = slab->generation,
        .leads = (slab->flags & SLAB_LEADS) != 0,
        .next = t->first_seen,
    };
    t->first_seen = s->seen_count;
    return true;
}

/*
 * A slab that was changing hands: again, alone. Frozen that way, its account is torn (only empty
 * slabs change, so that neither diff nor bytes are off).
 */
static enum rxpool_stats_status slab_retry(struct rxpool_stats *s, struct block *b,
                                           uint64_t address, struct rxpool_stats_error *error) {
    int tries = s->memory.frozen ? 1 : SLAB_TRIES;

    do {
        if (!slabs_read(s, address, b, 1))
            return stats_unreadable(s, "a slab descriptor", address, error);
        if (slab_stable(b, 0))
            return seen_add(s, &b->values[0], address) ? RXPOOL_STATS_OK
                                                       : stats_short_of_memory(error);
    } while (--tries > 0);
    stats_tally(s, b->values[0].account)->torn = true;
    return RXPOOL_STATS_OK;
}

static enum rxpool_stats_status scan_range(struct rxpool_stats *s, const struct root *root,
                                           struct block blocks[2],
                                           struct rxpool_stats_error *error) {
    struct block *b = &blocks[0];

    for (uint64_t first = 0; first < root->slab_high; first += SLABS_AT_ONCE) {
        uint64_t left = root->slab_high - first;
        size_t count = left < SLABS_AT_ONCE ? (size_t)left : SLABS_AT_ONCE;
        uint64_t address = root->slabs + first * sizeof(struct slab);
        if (!slabs_read(s, address, b, count))
            return stats_unreadable(s, "slab descriptors", address, error);
        for (size_t i = 0; i < count; i++, address += sizeof(struct slab)) {
            enum rxpool_stats_status status = RXPOOL_STATS_OK;
            if (!slab_stable(b, i))
                status = slab_retry(s, &blocks[1], address, error);
            else if (!seen_add(s, &b->values[i], address))
                status = stats_short_of_memory(error);
            if (status != RXPOOL_STATS_OK)
                return status;
        }
    }
    return RXPOOL_STATS_OK;
}

enum rxpool_stats_status scan_slabs(struct rxpool_stats *s, struct rxpool_stats_error *error) {
    struct area blocks = {0};
    struct root root = {0};
    uint64_t address = s->root_address;
    enum rxpool_stats_status status = RXPOOL_STATS_OK;

    s->seen_count = 0;
    if (!area_reserve(&blocks, 2 * sizeof(struct block)))
        return stats_short_of_memory(error);
    for (uint32_t number = 0; address != 0 && number < RANGES_MAX; number++) {
        status = root_read_at(s, address, number, &root, error);
        if (status == RXPOOL_STATS_OK)
            status = scan_range(s, &root, blocks.start, error);
        if (status != RXPOOL_STATS_OK)
            break;
        address = root.next_range;
    }
    area_release(&blocks);
    return status;
}

/* --- settling ------------------------------------------------------------------------------- */

/*
 * `before` was read ahead of the generations and `after` behind them, each from its first byte on. So
 * where no fold lies between before's fold_end and after's fold_begin, what `before` says behind its
 * fold_end is of one moment; of `after` that is not known, whose figures were read last.
 */
static bool no_fold_between(const struct account *before, const struct account *after) {
    return before->fold_end == after->fold_begin;
}

/* Slabs of one account that share lists: only together are they no fewer allocs than frees. */
struct sharing {
    uint64_t allocs, frees, bytes;
};

static void settle_slab(struct tally *t, struct sharing *sharing, const struct slab *slab) {
    uint64_t allocs = slab->allocs, frees = FREED_COUNT(slab->freed) + REMOTE_PUSHES(slab->remote);

    if (slab->flags & (SLAB_LEADS | SLAB_SHARES)) {
        sharing->allocs += allocs;
        sharing->frees += frees;
        sharing->bytes += (allocs - frees) * slab->block_size;
        return;
    }
    /*
     * Frees that were copied a moment after the allocs may be ahead of them. The allocs then passed through that very
     * number in between, so it is as good an instant of theirs.
     */
    if (allocs < frees)
        allocs = frees;
    t->allocs += allocs;
    t->frees += frees;
    t->bytes_in += (allocs - frees) * slab->block_size;
}

/* Sums one account, from its slabs (indexed as the seen ones) and the account as it was ahead of them. */
static void settle_account(struct rxpool_stats *s, uint32_t id, const struct account *a,
                           const struct slab *slabs) {
    const struct seen *all = s->seen.start;
    struct tally *t = stats_tally(s, id);
    struct sharing sharing = {0};

    t->tag = a->tag;
    t->site = a->site;
    t->type = a->type;
    t->held_blocks = a->held_blocks;
    t->held_bytes = a->held_bytes;
    t->overhead_bytes = a->overhead_bytes;
    t->quota_charged = a->quota_charged;
    t->allocs = a->retired_allocs;
    t->frees = a->retired_frees;
    for (uint32_t i = t->first_seen; i != 0; i = all[i - 1].next)
        if (slabs[i - 1].generation == all[i - 1].generation)
            settle_slab(t, &sharing, &slabs[i - 1]);
    /* The same of their sums, which pushes may be ahead of that came while leaders were read. */
    t->allocs += sharing.allocs > sharing.frees ? sharing.allocs : sharing.frees;
    t->frees += sharing.frees;
    t->bytes_in += sharing.allocs > sharing.frees && (int64_t)sharing.bytes > 0 ? sharing.bytes : 0;
}

static struct piece slab_piece(const struct seen *seen, struct slab *copy) {
    return (struct piece){seen->address, copy, sizeof(*copy)};
}

/* One account's own window: the account, its slabs, leaders last, the account. */
static bool settle_again(struct rxpool_stats *s, uint32_t id, struct account edges[2],
                         struct slab *slabs, struct piece *pieces) {
    const struct seen *all = s->seen.start;
    uint64_t address = s->root.accounts + id * sizeof(struct account);
    size_t n = 0;

    pieces[n++] = (struct piece){address, &edges[0], sizeof(edges[0])};
    for (int leads = 0; leads < 2; leads++)
        for (uint32_t i = stats_tally(s, id)->first_seen; i != 0; i = all[i - 1].next)
            if (all[i - 1].leads == (leads != 0))
                pieces[n++] = slab_piece(&all[i - 1], &slabs[i - 1]);
    pieces[n++] = (struct piece){address, &edges[1], sizeof(edges[1])};
    return s->memory.read(&s->memory, pieces, n);
}

static enum rxpool_stats_status settle_one(struct rxpool_stats *s, uint32_t id,
                                           struct account edges[2], struct slab *slabs,
                                           struct piece *pieces, struct rxpool_stats_error *error) {
    int tries = s->memory.frozen ? 0 : WINDOW_TRIES;

    while (!no_fold_between(&edges[0], &edges[1]) && tries-- > 0)
        if (!settle_again(s, id, edges, slabs, pieces))
            return stats_unreadable(s, "an account", s->root.accounts, error);
    if (!no_fold_between(&edges[0], &edges[1]))
        stats_tally(s, id)->torn = true;
    settle_account(s, id, &edges[0], slabs);
    return RXPOOL_STATS_OK;
}

static bool settle_room(struct rxpool_stats *s) {
    return area_reserve(&s->slabs, s->seen_count * sizeof(struct slab)) &&
           area_reserve(&s->pieces, (s->seen_count + 2) * sizeof(struct piece)) &&
           area_reserve(&s->accounts, 2 * ACCOUNTS_MAX * sizeof(struct account));
}

/* All accounts in one window first; those that a fold disturbed, each in a short one of its own. */
enum rxpool_stats_status settle(struct rxpool_stats *s, struct rxpool_stats_error *error) {
    const struct seen *all = s->seen.start;
    size_t n = 0, bytes = s->root.account_high * sizeof(struct account);

    if (!settle_room(s))
        return stats_short_of_memory(error);
    struct piece *pieces = s->pieces.start;
    struct slab *slabs = s->slabs.start;
    struct account *before = s->accounts.start, *after = before + ACCOUNTS_MAX;
    pieces[n++] = (struct piece){s->root.accounts, before, bytes};
    for (int leads = 0; leads < 2; leads++)
        for (uint32_t i = 0; i < s->seen_count; i++)
            if (all[i].leads == (leads != 0))
                pieces[n++] = slab_piece(&all[i], &slabs[i]);
    pieces[n++] = (struct piece){s->root.accounts, after, bytes};
    if (bytes > 0 && !s->memory.read(&s->memory, pieces, n))
        return stats_unreadable(s, "the accounts", s->root.accounts, error);
    for (uint32_t id = 1; id < s->root.account_high; id++) {
        struct account edges[2] = {before[id], after[id]};
        enum rxpool_stats_status status = settle_one(s, id, edges, slabs, pieces, error);
        if (status != RXPOOL_STATS_OK)
            return status;
    }
    return RXPOOL_STATS_OK;
}
