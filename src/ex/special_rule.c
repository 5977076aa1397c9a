/*
 * Which blocks get a guard page, and what is said of those that should have one and have none.
 *
 * By tag: such an account's calls never become fast (ENGINE_NO_INSTALL). By size: the size's place in the
 * map of classes leads to a class that has no blocks, in every bin (classes.c). One in so many: the
 * thread's allocations are counted where its slow paths come by (a slab that runs dry, a free that looks
 * up), from the slabs' own counters; when one is due the thread's table misses until it is served, a few
 * calls later, so that no one call in a loop is always or never it. So no fast path knows of any of it.
 */
#include "base/options.h"
#include "base/text.h"
#include "ex/range.h"
#include "ex/special_parts.h"
#include "plat/guard.h"
#include "plat/wait.h"

/*
 * A sampled block costs some system calls, thousands of times what a fast one does, and how many times
 * depends on the machine. Its allocation and its free are timed; of a thread's time they may have one
 * part in SHARE, and what was not spent is saved up to SAVED_NS. A thread that is put to sleep meanwhile
 * has not spent more than CHARGE_NS.
 */
#define SHARE 100u
#define SAVED_NS 200000
#define CHARGE_NS 100000u
#define NS_PER_MS 1000000u
#define DUE_MOST 8u
#define SKIP 8u /* the one that is due is one of the next so many */

_Atomic uint8_t special_asked = SPECIAL_UNREAD;

static struct {
    bool any_tag;
    _Atomic uint64_t count[SPECIAL_REFUSALS]; /* SPECIAL_SERVED: those that have a guard */
    _Atomic bool said;
} rule;

/* --- coverage ------------------------------------------------------------------------------------ */

void special_coverage(struct special_coverage *out) {
    *out = (struct special_coverage){
        .guarded = STATE_LOAD(&rule.count[SPECIAL_SERVED]),
        .no_guard = STATE_LOAD(&rule.count[SPECIAL_NO_GUARD]),
        .no_memory = STATE_LOAD(&rule.count[SPECIAL_NO_MEMORY]),
        .no_shape = STATE_LOAD(&rule.count[SPECIAL_NO_SHAPE]),
        .no_time = STATE_LOAD(&rule.count[SPECIAL_NO_TIME]),
    };
    special_counts(out);
}

static void put_reason(struct text *t, uint64_t count, const char *reason) {
    if (count == 0)
        return;
    text_string(t, ", ");
    text_decimal(t, count);
    text_string(t, reason);
}

static void at_exit(void) {
    const struct options *o = options_get();
    struct special_coverage c;
    char buffer[512];
    struct text t;

    special_coverage(&c);
    bool refused = c.no_guard + c.no_memory + c.no_shape + c.left_open != 0;
    if (!refused && !o->stats_exit && o->leaks == OPTIONS_LEAKS_OFF)
        return;
    text_init(&t, buffer, sizeof(buffer));
    text_string(&t, "rxpool: guard pages: ");
    text_decimal(&t, c.guarded);
    text_string(&t, c.guarded == 1 ? " block had one" : " blocks had one");
    put_reason(&t, c.no_guard, " went without: the system allows no more");
    put_reason(&t, c.no_memory, " went without: no memory");
    put_reason(&t, c.no_shape, " went without: a GiB and more, or aligned to more than a page");
    put_reason(&t, c.no_time, " passed over: more often than there is time for");
    put_reason(&t, c.left_open, " stayed accessible after their free: the system refused a guard");
    text_char(&t, '\n');
    plat_report(o->report, t.buffer, t.length);
}

/* At once, and once. */
static RXP_COLD void say_refused(enum special_refusal why) {
    static const char no_guard[] = "rxpool: special: the system allows no more guard pages; "
                                   "some blocks go without from here on\n";
    static const char no_memory[] = "rxpool: special: no memory for more guarded blocks; "
                                    "some blocks go without from here on\n";
    if (atomic_exchange(&rule.said, true))
        return;
    if (why == SPECIAL_NO_GUARD)
        plat_report(NULL, no_guard, sizeof(no_guard) - 1);
    else
        plat_report(NULL, no_memory, sizeof(no_memory) - 1);
}

static void count(enum special_refusal outcome) {
    atomic_fetch_add_explicit(&rule.count[outcome], 1, memory_order_relaxed);
    if (RXP_UNLIKELY(outcome == SPECIAL_NO_GUARD || outcome == SPECIAL_NO_MEMORY))
        say_refused(outcome);
}

/* --- start ---------------------------------------------------------------------------------------- */

void special_start(void) {
    const struct options *o = options_get();
    uint8_t asked = 0;

    if (o->special_tags[0] != '\0' || o->special_size != 0)
        asked |= SPECIAL_RULE;
    if (o->special_every != 0)
        asked |= SPECIAL_SAMPLE;
    rule.any_tag = o->special_tags[0] == '*' && o->special_tags[1] == '\0';
    atomic_store_explicit(&special_asked, asked, memory_order_release);
    if (asked == 0)
        return;
    special_catch();
    plat_at_exit(at_exit);
}

/* --- by tag and by size ---------------------------------------------------------------------------- */

static bool tag_matches(uint64_t key) {
    const char *tags = options_get()->special_tags;
    return rule.any_tag || (tags[0] != '\0' && options_tag_in(tags, (uint32_t)key));
}

/* --- one in so many ---------------------------------------------------------------------------------- */

static uint64_t heap_random(struct heap *heap) {
    uint64_t x = heap->sample_random += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    return x ^ x >> 27;
}

/* How many allocations until the next one is due: `every` on average. */
static int64_t next_in(struct heap *heap) {
    uint64_t every = options_get()->special_every;
    return (int64_t)(heap_random(heap) % (2 * every - 1)) + 1;
}

static void save_time(struct heap *heap) {
    uint64_t ran = plat_thread_ms();
    int64_t more = (int64_t)((ran - heap->sample_ran) * (NS_PER_MS / SHARE));

    heap->sample_ran = ran;
    heap->sample_ns = more < SAVED_NS - heap->sample_ns ? heap->sample_ns + more : SAVED_NS;
}

static bool may_take_time(struct heap *heap) {
    uint64_t now = plat_clock_ms();

    if (heap->sample_ns <= 0 && now != heap->sample_clock)
        save_time(heap);
    heap->sample_clock = now;
    return heap->sample_ns > 0;
}

void special_charge(struct heap *heap, uint64_t since) {
    uint64_t spent = plat_clock_ns() - since;

    heap->sample_ns -= (int64_t)(spent < CHARGE_NS ? spent : CHARGE_NS);
}

static void count_allocations(struct heap *heap, uint64_t allocations) {
    if (heap->sample_random == 0) { /* its first */
        heap->sample_random = (uint64_t)heap->public.id * 0xD1342543DE82EF95u;
        heap->sample_left = next_in(heap);
        heap->sample_ran = plat_thread_ms();
        heap->sample_ns = SAVED_NS;
    }
    heap->sample_left -= (int64_t)allocations;
    while (heap->sample_left <= 0) {
        heap->sample_left += next_in(heap);
        if (heap->sample_due == DUE_MOST || !may_take_time(heap)) {
            count(SPECIAL_NO_TIME);
            continue;
        }
        heap->sample_due++;
        heap->sample_skip = (uint32_t)(heap_random(heap) % SKIP);
        heap_miss(heap, true);
    }
}

void special_count(struct heap *heap, struct slab *slab) {
    uint32_t allocs = (uint32_t)STATE_LOAD(&slab->allocs), since = allocs - slab->sampled;

    slab->sampled = allocs;
    count_allocations(heap, since);
}

/* Whether this call is the one. */
static bool sample(struct heap *heap) {
    if (heap == NULL || heap->sample_due == 0)
        return false;
    if (heap->sample_skip > 0) {
        heap->sample_skip--;
        return false;
    }
    if (--heap->sample_due == 0)
        heap_miss(heap, false);
    else
        heap->sample_skip = (uint32_t)(heap_random(heap) % SKIP);
    return true;
}

/* --- the calls ------------------------------------------------------------------------------------------ */

static bool serve(struct special_request *q, unsigned *flags, struct guard_place *out) {
    enum class_layout layout = (q->key >> 32) & ACCOUNT_DENSE ? LAYOUT_DENSE : LAYOUT_POOL;
    struct heap *heap = heap_mine();
    bool ours = false;

    if (heap == NULL && !engine_ready())
        return false;
    if (special_asks() & SPECIAL_RULE) {
        bool tag = tag_matches(q->key);
        if (tag)
            *flags |= ENGINE_NO_INSTALL;
        ours = tag || classes_special(q->size);
    }
    if (!ours && (special_asks() & SPECIAL_SAMPLE)) {
        if (heap != NULL && q->size > slab_block_max(layout))
            count_allocations(heap, 1);
        ours = sample(heap);
    }
    if (!ours)
        return false;
    if (q->size == 0)
        q->size = 1;
    if (layout == LAYOUT_POOL && q->size >= POOL_PAGE_SIZE && q->alignment < POOL_PAGE_SIZE)
        q->alignment = POOL_PAGE_SIZE;
    uint64_t since = special_timed(heap) ? plat_clock_ns() : 0;
    enum special_refusal outcome = special_alloc(heap, q, out);
    if (since != 0)
        special_charge(heap, since);
    count(outcome);
    return outcome == SPECIAL_SERVED;
}

void *special_serve(uint64_t key, size_t size, size_t alignment, unsigned *flags,
                    const void *caller) {
    struct special_request q = {.key = key, .size = size, .alignment = alignment, .caller = caller};
    struct guard_place block;

    /* The checked build asked for this block's pages before, and was refused. */
    if (RXP_UNLIKELY(engine_thread.unguarded)) {
        engine_thread.unguarded = false;
        if (tag_matches(key))
            *flags |= ENGINE_NO_INSTALL;
        return NULL;
    }
    return serve(&q, flags, &block) ? (void *)block.start : NULL;
}

bool special_serve_checked(uint64_t key, const struct guard_request *request,
                           struct guard_place *out) {
    struct special_request q = {.key = key,
                                .size = request->size,
                                .alignment = request->alignment,
                                .lead = request->lead,
                                .caller = request->caller,
                                .checked = true};
    unsigned flags = 0;

    if (serve(&q, &flags, out))
        return true;
    engine_thread.unguarded = flags != 0;
    return false;
}
