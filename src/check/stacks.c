/* Call stacks, each stored once: see stacks.h. */
#include "check/stacks.h"

#include "base/frames.h"
#include "check/report.h"
#include "check/sites.h"
#include "plat/plat.h"

#define WORDS_MOST (1u << 24) /* of stacks, less where address space is short */
#define WORDS_LEAST (1u << 16)
#define WORDS_A_BUCKET 64u
#define COMMIT_BYTES ((size_t)1 << 20)
#define COUNT_BITS 6
#define HASH 0x9E3779B97F4A7C15u

/* At the word whose number is the stack's id. */
struct stack {
    uint32_t next; /* id of the next in its bucket, 0 for none */
    uint32_t key;  /* of the hash, and in the lowest COUNT_BITS the number of frames */
    uint32_t site;
    uint32_t frame[];
};

_Static_assert(FRAMES_MOST < 1 << COUNT_BITS, "the number of frames in a key");

#define STACK_WORDS (sizeof(struct stack) / sizeof(uint32_t))

_Atomic uint32_t stacks_depth;

static struct {
    _Atomic(uint32_t *) words; /* the buckets, then the stacks; NULL until the first one */
    _Atomic uint32_t most; /* words of stacks that there is room for, a power of two; 0 unknown */
    _Atomic uint32_t used; /* words of stacks, those beyond that in vain */
    _Atomic size_t committed; /* bytes */
    _Atomic bool full;
} stacks;

/* --- room -------------------------------------------------------------------------------------- */

RXP_INLINE uint32_t words_most(void) {
    return atomic_load_explicit(&stacks.most, memory_order_relaxed);
}

RXP_INLINE uint32_t buckets(void) {
    return words_most() / WORDS_A_BUCKET;
}

static size_t bucket_bytes(void) {
    return buckets() * sizeof(uint32_t);
}

static size_t whole_bytes(void) {
    return bucket_bytes() + words_most() * sizeof(uint32_t);
}

/* Once and for all: threads may see different amounts of address space. */
static void choose_size(void) {
    uint32_t most = WORDS_MOST, unknown = 0;
    while (most > WORDS_LEAST && most * sizeof(uint32_t) > plat_address_space_left() / 4)
        most /= 2;
    atomic_compare_exchange_strong_explicit(&stacks.most, &unknown, most, memory_order_relaxed,
                                            memory_order_relaxed);
}

/*
 * NULL when there is none. Of two threads that come first one takes its reservation back. A small table is made
 * whole at once: in a kernel nothing is added to it later.
 */
static RXP_COLD uint32_t *make_room(void) {
    choose_size();
    uint32_t *made = plat_reserve(whole_bytes(), (size_t)64 << 10), *other = NULL;
    size_t first = words_most() * sizeof(uint32_t) <= COMMIT_BYTES ? whole_bytes() : bucket_bytes();
    if (made == NULL)
        return NULL;
    if (plat_commit(made, first)) {
        size_t none = 0;
        atomic_compare_exchange_strong_explicit(&stacks.committed, &none, first,
                                                memory_order_relaxed, memory_order_relaxed);
        if (atomic_compare_exchange_strong_explicit(&stacks.words, &other, made,
                                                    memory_order_acq_rel, memory_order_acquire))
            return made;
    }
    plat_release(made, whole_bytes());
    return other;
}

RXP_INLINE uint32_t *words(void) {
    uint32_t *there = atomic_load_explicit(&stacks.words, memory_order_acquire);
    return RXP_LIKELY(there != NULL) ? there : make_room();
}

RXP_INLINE struct stack *stack_at(uint32_t *words, uint32_t id) {
    return (struct stack *)(void *)(words + buckets() + (id & ~SITE_STACK));
}

RXP_INLINE _Atomic uint32_t *bucket_at(uint32_t *words, uint32_t key) {
    return (_Atomic uint32_t *)(words + (key >> COUNT_BITS & (buckets() - 1)));
}

/* Whether the words up to `end` can be written. Threads may make the same ones so: no harm. */
static bool commit_up_to(uint32_t *words, uint32_t end) {
    size_t wanted = bucket_bytes() + end * sizeof(uint32_t);
    size_t done = atomic_load_explicit(&stacks.committed, memory_order_acquire);
    if (wanted <= done)
        return true;
    wanted = rxp_round_up(wanted, COMMIT_BYTES);
    if (wanted > whole_bytes())
        wanted = whole_bytes();
    if (!plat_commit((char *)words + done, wanted - done))
        return false;
    while (done < wanted &&
           !atomic_compare_exchange_weak_explicit(&stacks.committed, &done, wanted,
                                                  memory_order_acq_rel, memory_order_acquire))
        ;
    return true;
}

static RXP_COLD uint32_t no_room(void) {
    if (!atomic_exchange(&stacks.full, true))
        report_note("no room for more call stacks: further ones are shown as plain sites");
    return 0;
}

/* The id of room for a stack, not its own yet; 0 when there is none. */
static uint32_t carve(uint32_t *words, uint32_t count) {
    if (atomic_load_explicit(&stacks.full, memory_order_relaxed))
        return 0;
    uint32_t size = (uint32_t)STACK_WORDS + count;
    uint32_t at = atomic_fetch_add_explicit(&stacks.used, size, memory_order_relaxed) + 1;
    if (at + size > words_most() || !commit_up_to(words, at + size))
        return no_room();
    return at | SITE_STACK;
}

/* --- interning --------------------------------------------------------------------------------- */

/* What is looked for. */
struct wanted {
    uint32_t key, site, count;
    const uint32_t *frame;
};

RXP_INLINE struct wanted wanted(uint32_t site, const uint32_t *frames, uint32_t count) {
    uint64_t h = site;
    for (uint32_t i = 0; i < count; i++)
        h = (h ^ frames[i]) * HASH;
    h ^= h >> 29;
    return (struct wanted){(uint32_t)(h >> 16) << COUNT_BITS | count, site, count, frames};
}

RXP_INLINE bool is_wanted(const struct stack *s, const struct wanted *w) {
    uint32_t differs = (s->key ^ w->key) | (s->site ^ w->site);
    for (uint32_t i = 0; i < w->count && differs == 0; i++)
        differs = s->frame[i] ^ w->frame[i];
    return differs == 0;
}

/* Among those of a bucket from `first` up to `end`; 0 when it is not there. */
RXP_INLINE uint32_t find(uint32_t *words, uint32_t first, uint32_t end, const struct wanted *w) {
    for (uint32_t id = first; id != end; id = stack_at(words, id)->next) {
        if (is_wanted(stack_at(words, id), w))
            return id;
    }
    return 0;
}

/*
 * Its bucket's stacks from `head` on were looked at. Whoever is first with this very stack has it
 * stored: the other's room is lost, a stack's for a race.
 */
static RXP_NOINLINE uint32_t add(uint32_t *words, uint32_t head, const struct wanted *w) {
    _Atomic uint32_t *bucket = bucket_at(words, w->key);
    uint32_t id = carve(words, w->count);
    if (id == 0)
        return 0;
    struct stack *s = stack_at(words, id);
    s->key = w->key;
    s->site = w->site;
    for (uint32_t i = 0; i < w->count; i++)
        s->frame[i] = w->frame[i];
    for (;;) {
        uint32_t seen = s->next = head;
        /* Release: who finds the id sees the stack. Acquire: so do we, of those added meanwhile. */
        if (atomic_compare_exchange_strong_explicit(bucket, &head, id, memory_order_acq_rel,
                                                    memory_order_acquire))
            return id;
        uint32_t other = find(words, head, seen, w);
        if (other != 0)
            return other;
    }
}

uint32_t stacks_intern(uint32_t site, const uint32_t *frames, uint32_t count) {
    uint32_t *there = words();
    if (RXP_UNLIKELY(there == NULL))
        return no_room();
    struct wanted w = wanted(site, frames, count);
    uint32_t head = atomic_load_explicit(bucket_at(there, w.key), memory_order_acquire);
    uint32_t id = find(there, head, 0, &w);
    return RXP_LIKELY(id != 0) ? id : add(there, head, &w);
}

uint32_t stacks_here(uint32_t site, const void *pc) {
    const void *frames[FRAMES_MOST];
    uint32_t ids[FRAMES_MOST], depth = atomic_load_explicit(&stacks_depth, memory_order_relaxed);
    unsigned first = (site & SITE_PC) != 0, count = 0;
    unsigned walked = pc != NULL ? plat_backtrace(pc, frames, depth + 1) : 0;
    for (unsigned i = first; i < walked; i++, count++) {
        ids[count] = sites_intern_pc(frames[i]);
        if (RXP_UNLIKELY(ids[count] == 0))
            break;
    }
    uint32_t id = count != 0 ? stacks_intern(site, ids, count) : 0;
    return id != 0 ? id : site;
}

/* --- questions --------------------------------------------------------------------------------- */

void stacks_start(uint32_t depth) {
    atomic_store_explicit(&stacks_depth, depth, memory_order_relaxed);
}

uint32_t stacks_site(uint32_t id) {
    return stack_at(words(), id)->site;
}

void stacks_put(struct text *out, uint32_t id) {
    if ((id & SITE_STACK) == 0)
        return;
    const struct stack *s = stack_at(words(), id);
    uint32_t first = (s->site & SITE_PC) != 0, count = s->key & ((1u << COUNT_BITS) - 1);
    for (uint32_t i = 0; i < count; i++) {
        frames_put_number(out, first + i);
        sites_put(out, s->frame[i]);
        text_char(out, '\n');
    }
}

uint64_t stacks_bytes(void) {
    uint32_t used = atomic_load_explicit(&stacks.used, memory_order_relaxed);
    if (atomic_load_explicit(&stacks.words, memory_order_relaxed) == NULL)
        return 0;
    return bucket_bytes() +
           (used < words_most() ? used : words_most()) * (uint64_t)sizeof(uint32_t);
}

void stacks_close(void) {
    uint32_t *there = atomic_exchange(&stacks.words, NULL);
    if (there != NULL)
        plat_release(there, whole_bytes());
    atomic_store(&stacks.used, 0);
    atomic_store(&stacks.committed, 0);
    atomic_store(&stacks.full, false);
}
