#include "ex/share.h"
#include "ex/account.h"
#include "ex/look.h"
#include "ex/range.h"
#include "ex/remote.h"
#include "ex/slab_parts.h"

/* A bin may list so many bytes, or this share of its slabs; and so many blocks. */
#define LISTED_BYTES (128u << 10)
#define LISTED_SHARE 8u
#define LISTED_LEAST 8u
/* Frees between a leader's looks, at least; at most as for other current slabs. */
#define LOOK_LEAST 16u
/* Looks at leaders for each time that the heap looks whether time has passed, where none gives back. */
#define LOOKS_PEEK 8u

static unsigned carved_blocks(const struct slab *slab) {
    return slab_class(slab)->capacity - slab_uncarved(slab);
}

/* Free blocks that bring a sharer back: a quarter. Each time costs two locked instructions, be they few or many. */
static unsigned return_mark(const struct slab *slab) {
    unsigned quarter = slab_class(slab)->capacity / 4u;

    return quarter == 0 ? 1 : quarter;
}

static uint32_t listed_most(const struct binset *set, unsigned class) {
    uint32_t share = set->slabs[class] * (uint32_t)SLAB_SIZE / LISTED_SHARE;
    uint32_t blocks = (share > LISTED_BYTES ? share : LISTED_BYTES) /
                      engine_classes.info[set->layout][class].block_size;

    return blocks < LISTED_LEAST ? LISTED_LEAST : blocks;
}

static uint32_t listed(const struct binset *set, const struct slab *leader) {
    return set->listed[leader->size_class] + (uint32_t)STATE_LOAD(&leader->freed) -
           (uint32_t)STATE_LOAD(&leader->allocs);
}

/* The leader's list has `blocks` from now on; looks when it may have too many. */
static void list_counts(struct binset *set, struct slab *leader, uint32_t blocks) {
    uint32_t most = listed_most(set, leader->size_class);
    uint32_t look = blocks < most ? most - blocks : 0;

    set->listed[leader->size_class] =
        blocks + (uint32_t)STATE_LOAD(&leader->allocs) - (uint32_t)STATE_LOAD(&leader->freed);
    slab_look_in(leader, look < LOOK_LEAST ? LOOK_LEAST : look < LOOK_EVERY ? look : LOOK_EVERY);
}

/* --- to the list ----------------------------------------------------------------------------------- */

static void join(struct heap *heap, struct binset *set, struct slab *leader, struct slab *slab) {
    if (!(leader->flags & SLAB_LEADS)) {
        look_no_more(heap, leader);
        leader->flags |= SLAB_LEADS;
        leader->flags &= (uint16_t)~SLAB_SELDOM;
    }
    slab->flags |= SLAB_SHARES;
    slab_label(slab)->list = (uintptr_t)leader;
    slab->out = (uint16_t)(STATE_LOAD(&slab->allocs) - FREED_COUNT(STATE_LOAD(&slab->freed)) -
                           slab->collected);
    set->sharers[slab->size_class]++;
}

/* What the slab has at home is the leader's list, which was dry. Where that is all that can be had, it leaves the partial list. */
static void lend(struct heap *heap, struct binset *set, struct slab *leader, struct slab *slab) {
    if (!(slab->flags & SLAB_SHARES))
        join(heap, set, leader, slab);
    unsigned carved = carved_blocks(slab), blocks = carved - slab->out;

    rxp_assert(leader->free == NULL && blocks != 0);
    leader->free = slab->free;
    slab->free = NULL;
    slab->out = (uint16_t)carved;
    list_counts(set, leader, blocks);
    if (carved < slab_class(slab)->capacity || !remote_make_full(slab, return_mark(slab))) {
        if (!(slab->flags & SLAB_LINKED))
            bin_link(set, slab, true);
    } else if (slab->flags & SLAB_LINKED) {
        bin_unlink(heap, set, slab);
    }
}

static bool lend_of_new(struct heap *heap, struct binset *set, unsigned class) {
    struct slab *slab = slab_new(heap, set, class);

    if (slab == NULL)
        slab = slab_new_again(heap, set, class); /* which may have swept away the leader, too */
    if (slab == NULL)
        return false;
    struct slab *leader = set->current[class];
    if (leader == &engine_no_slab) {
        bin_set_current(heap, set, slab);
        return slab_carve(slab);
    }
    if (leader->free != NULL)
        bin_link(set, slab, true);
    else if (slab_carve(slab))
        lend(heap, set, leader, slab);
    return true;
}

bool share_refill(struct heap *heap, struct binset *set, unsigned class) {
    while (set->partial[class] != 0) {
        struct slab *slab = range_slab_by_id(set->partial[class]);
        idle_forget(heap, slab);
        if (slab_has_block(slab) || slab_carve(slab)) {
            lend(heap, set, set->current[class], slab);
            return true;
        }
        if (remote_make_full(slab, return_mark(slab)))
            bin_unlink(heap, set, slab);
    }
    return lend_of_new(heap, set, class);
}

void share_filled(struct binset *set, struct slab *leader) {
    uint32_t n = 0;

    for (const struct free_block *b = leader->free; b != NULL && n < SHARE_BLOCKS_MOST; b = b->next)
        n++;
    list_counts(set, leader, n);
}

/* --- home ------------------------------------------------------------------------------------------ */

/* The slab of a block that may be on the leader's list; null for what is none. */
static struct slab *slab_of_listed(const struct slab *leader, const struct free_block *b) {
    struct slab *slab = fast_slab(b);

    if (RXP_UNLIKELY(slab == &engine_no_slab))
        slab = range_slab(b);
    return slab != NULL && STATE_LOAD(&slab->kind) == SLAB_OWN && slab_list(slab) == leader &&
                   slab_starts_block(slab, b) && slab_has_carved(slab, b)
               ? slab
               : NULL;
}

bool share_goes_on(struct heap *heap, struct slab *leader) {
    if (leader->free == NULL || slab_of_listed(leader, leader->free) != NULL)
        return true;
    leader->free = NULL;
    list_counts(heap_set_of(heap, leader), leader, 0);
    return false;
}

static void go_home(struct heap *heap, struct binset *set, struct slab *slab,
                    struct free_block *b) {
    b->next = slab->free;
    slab->free = b;
    slab->out--;
    if (slab_live(slab) == 0)
        slab_settle(heap, set, slab);
    else if (!(slab->flags & SLAB_LINKED) && carved_blocks(slab) - slab->out >= return_mark(slab))
        bin_link(set, slab, true);
}

/* All but the newest `keep`, and the leader's own. */
static void give_back(struct heap *heap, struct binset *set, struct slab *leader, uint32_t keep) {
    uint32_t left = listed(set, leader), kept = 0;
    struct free_block *b = leader->free, *last = NULL;

    for (; b != NULL && kept < keep && slab_of_listed(leader, b) != NULL; b = b->next, kept++)
        last = b;
    if (last != NULL)
        last->next = NULL;
    else
        leader->free = NULL;
    for (left -= kept; b != NULL && left > 0; left--) {
        struct slab *slab = slab_of_listed(leader, b);
        struct free_block *next = slab == NULL ? NULL : b->next;
        if (slab == leader) {
            b->next = leader->free;
            leader->free = b;
            kept++;
        } else if (slab != NULL) {
            go_home(heap, set, slab, b);
        }
        b = next;
    }
    if (leader->flags & SLAB_LEADS)
        list_counts(set, leader, kept);
}

void share_look(struct heap *heap, struct binset *set, struct slab *leader) {
    uint32_t n = listed(set, leader), most = listed_most(set, leader->size_class);
    bool full = n >= most;

    if (full)
        give_back(heap, set, leader, most / 2);
    else
        list_counts(set, leader, n);
    if (!(leader->flags & SLAB_LEADS))
        slab_settle(heap, set, leader); /* the last sharer has retired */
    if (full || heap->looks % LOOKS_PEEK == 0)
        heap_peek(heap);
}

/* --- leaving --------------------------------------------------------------------------------------- */

static void lead_no_more(struct heap *heap, struct slab *leader) {
    leader->flags &= (uint16_t)~SLAB_LEADS;
    slab_look_in(leader, look_after(heap, leader, (uint32_t)slab_live(leader)));
}

/* What is counted from now on is not new to special=1/N. */
static void count_move(struct slab *from, struct slab *to, uint64_t allocs) {
    STATE_STORE(&from->allocs, STATE_LOAD(&from->allocs) - allocs);
    from->sampled -= (uint32_t)allocs;
    STATE_STORE(&to->allocs, STATE_LOAD(&to->allocs) + allocs);
    to->sampled += (uint32_t)allocs;
}

void share_leave(struct heap *heap, struct binset *set, struct slab *slab, uint64_t pushes) {
    struct slab *leader = slab_list(slab);
    uint64_t allocs = STATE_LOAD(&slab->allocs);
    uint64_t frees = FREED_COUNT(STATE_LOAD(&slab->freed)) + pushes;

    count_move(slab, leader, allocs);
    RXP_COUNTER_ADD(&leader->freed, frees);
    set->listed[slab->size_class] += (uint32_t)(allocs - frees);
    if (--set->sharers[slab->size_class] == 0)
        lead_no_more(heap, leader);
}

/* Counters that are true for the slab alone: what it is credited with its leader is debited. */
static void share_no_more(struct heap *heap, struct slab *slab) {
    struct binset *set = heap_set_of(heap, slab);
    struct account *account = account_at(set->account);
    struct slab *leader = slab_list(slab);
    uint64_t out = slab->out + slab->collected + FREED_COUNT(STATE_LOAD(&slab->freed));
    unsigned home = carved_blocks(slab) - slab->out;

    account_fold_begin(account);
    count_move(leader, slab, out - STATE_LOAD(&slab->allocs));
    account_fold_end(account, 0, 0);
    slab->flags &= (uint16_t)~SLAB_SHARES;
    slab_label(slab)->list = (uintptr_t)slab;
    if (--set->sharers[slab->size_class] == 0)
        lead_no_more(heap, leader);
    if (!(slab->flags & SLAB_LINKED))
        slab_look_in(slab, return_mark(slab) - home);
    else
        slab_look_in(slab, look_when_empty(slab_live(slab)));
}

void share_end(struct heap *heap) {
    for (struct binset *set = heap->sets; set != NULL; set = set->next)
        for (unsigned c = 0; c < engine_classes.count[set->layout]; c++)
            if (set->current[c]->flags & SLAB_LEADS)
                give_back(heap, set, set->current[c], 0);
    for (uint32_t id = heap->slabs; id != 0;) {
        struct slab *slab = range_slab_by_id(id);
        id = slab->heap_next;
        if (slab->flags & SLAB_SHARES)
            share_no_more(heap, slab);
    }
}

/* --- for tests ------------------------------------------------------------------------------------- */

struct sums {
    uint64_t live, carved, home, remote;
};

static void sum(const struct slab *slab, struct sums *s) {
    uint64_t pushes = REMOTE_PUSHES(STATE_LOAD(&slab->remote));

    s->live += slab_counted(slab);
    s->carved += carved_blocks(slab);
    s->remote += pushes - slab->collected;
    if (slab->flags & SLAB_SHARES)
        s->home += carved_blocks(slab) - slab->out;
}

const char *share_walk(const struct heap *heap, const struct binset *set,
                       const struct slab *leader) {
    struct sums s = {0};
    uint32_t n = 0, sharers = 0;

    for (const struct free_block *b = leader->free; b != NULL; b = b->next, n++)
        if (slab_of_listed(leader, b) == NULL || n > listed(set, leader))
            return "a leader's list leaves its bin, or is longer than the owner knows";
    if (n != listed(set, leader))
        return "a leader's list is shorter than the owner knows";
    sum(leader, &s);
    for (uint32_t id = heap->slabs; id != 0; id = range_slab_by_id(id)->heap_next) {
        const struct slab *slab = range_slab_by_id(id);
        if (!(slab->flags & SLAB_SHARES) || slab_list(slab) != leader)
            continue;
        sum(slab, &s);
        sharers++;
    }
    if (sharers == 0 || sharers != set->sharers[leader->size_class])
        return "a bin does not know how many of its slabs share a list";
    if (s.carved != s.live + n + s.home + s.remote)
        return "listed, live, remote blocks and those at home are not all that a bin has carved";
    return NULL;
}
