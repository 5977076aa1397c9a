#include "ex/heap.h"
#include "base/options.h"
#include "ex/account.h"
#include "ex/cold.h"
#include "ex/range.h"
#include "ex/slab.h"
#include "plat/plat.h"

#define WINDOW 1024u /* looks; then all heat is halved */
/* An account is warm with so many looks, and one in so many of all. */
#define WARM_LOOKS 3u
#define WARM_SHARE 20u
/* The same where the heap is crowded. */
#define WARM_LOOKS_CROWDED 16u
#define WARM_SHARE_CROWDED 9u
/* Calls for a class of a warm account until it has slabs of its own. */
#define ASKED_ENOUGH 4u
#define SETS_MOST 2048u
#define HEAPS_LOOKED_AT 8u /* by a new thread */
#define REST_FILLED 2u     /* slabs that are filled while a heap rests, and it does no longer */
/* Allocations after which it pauses in that, and for how long, ms: its other slow paths take over meanwhile. */
#define REST_CALLS 50000u
#define REST_PAUSE 20u

struct slab_label engine_no_label;
struct slab engine_no_slab = {.label = (uintptr_t)&engine_no_label};
bool engine_slow_always;

static struct binset no_bins = {.current = {[0 ... CLASSES_MAX - 1] = &engine_no_slab}};
/* cold.h looks at a place's neighbour too. */
RXP_ALIGNED(32)
struct table_entry engine_miss[2] = {{TABLE_EMPTY, {&no_bins}}, {TABLE_EMPTY, {&no_bins}}};

THREAD_LOCAL_DEFINE(struct thread_state, engine_thread_state) = {
    .table = engine_miss, .id = THREAD_NO_ID, .mixed_id = THREAD_NO_ID, .direct_id = THREAD_NO_ID};

static struct {
    struct heap *free, *free_last; /* left by their threads, the first to be left first */
    struct heap *late;
    uint32_t last_id;
    _Atomic(struct heap *) by_id[65536]; /* untouched pages cost nothing */
} heaps;

struct heap *heap_by_id(uint32_t id) {
    return atomic_load_explicit(&heaps.by_id[id & 0xFFFF], memory_order_acquire);
}

struct heap *heap_first(void) {
    return (struct heap *)atomic_load_explicit(&range_root(0)->heaps, memory_order_acquire);
}

/* --- bins ------------------------------------------------------------------------------------------ */

static void set_start(struct heap *heap, struct binset *set, uint32_t account,
                      enum class_layout layout) {
    for (unsigned c = 0; c < CLASSES_MAX; c++)
        set->current[c] = &engine_no_slab;
    set->account = account;
    set->layout = layout;
    set->next = heap->sets;
    heap->sets = set;
    heap->set_count++;
}

static uint64_t heap_who(struct heap *heap, uint32_t account) {
    heap_show_counters(heap, account);
    return WHO(account);
}

static struct binset *set_new(struct heap *heap, uint32_t account, enum class_layout layout) {
    struct binset *set = meta_alloc(sizeof(*set));
    if (set == NULL)
        return NULL;
    set->who = heap_who(heap, account);
    set_start(heap, set, account, layout);
    return set;
}

struct binset *heap_set_make(struct heap *heap, uint32_t account, enum class_layout layout) {
    struct binset ***chunk = &heap->set_chunk[account / CHUNK_ACCOUNTS];

    if (heap->set_count >= SETS_MOST)
        return NULL;
    if (*chunk == NULL)
        *chunk = meta_alloc(CHUNK_ACCOUNTS * sizeof(**chunk));
    if (*chunk == NULL)
        return NULL;
    struct binset **place = &(*chunk)[account % CHUNK_ACCOUNTS];
    if (*place == NULL)
        *place = set_new(heap, account, layout);
    return *place;
}

/* --- the thread's view ---------------------------------------------------------------------- */

static void thread_use(struct heap *heap) {
    engine_thread.heap = heap;
    if (engine_thread.slow || engine_thread.resting)
        return;
    engine_thread.direct_id = heap->public.id;
    if (engine_slow_always)
        return;
    engine_thread.table = heap->table;
    engine_thread.mask = heap->table_mask;
    engine_thread.id = heap->public.id;
    engine_thread.mixed_id = heap->public.id | OWNER_SLOW;
}

void heap_miss(const struct heap *heap, bool miss) {
    if (engine_thread.heap != heap)
        return; /* the late heap, whose calls are slow anyway */
    if (miss) {
        engine_thread.table = engine_miss;
        engine_thread.mask = 0;
    } else {
        thread_use(engine_thread.heap);
    }
}

static void thread_leave(void) {
    engine_thread.table = engine_miss;
    engine_thread.mask = 0;
    engine_thread.id = engine_thread.mixed_id = engine_thread.direct_id = THREAD_NO_ID;
    engine_thread.heap = NULL;
}

/* --- the table --------------------------------------------------------------------------------------- */

/*
 * An alias with bins stands in the place that its hash says, where the fast paths look; one without in any of the WAYS
 * places of that cache line.
 */
#define WAYS 4u
#define GROW_SHARE 8u /* so many conflicts, as a share of its places, and the table grows */
#define WAY_MASK (WAYS * sizeof(struct table_entry) - 1)

static struct table_entry *table_at(const struct table_entry *table, size_t offset) {
    return (struct table_entry *)((uintptr_t)table + offset);
}

static unsigned table_entries(const struct heap *heap) {
    return (unsigned)(heap->table_mask / sizeof(struct table_entry)) + 1;
}

/* The pages that hold nothing but entries from `first` to `end`. */
static void table_purge(struct table_entry *table, unsigned first, unsigned end) {
    uintptr_t from = rxp_round_up((uintptr_t)(table + first), POOL_PAGE_SIZE);
    uintptr_t to = (uintptr_t)(table + end) & ~(uintptr_t)(POOL_PAGE_SIZE - 1);
    if (from < to)
        plat_purge((void *)from, to - from);
}

/* Where a heap's aliases stand from now on, none of them known; `table` has memory for `room` entries. With the heaps lock. */
static void table_start(struct heap *heap, struct table_entry *table, unsigned entries,
                        unsigned room) {
    for (unsigned i = 0; i < entries; i++)
        table[i] = engine_miss[0];
    heap->table = table;
    heap->table_mask = (entries - 1) * sizeof(struct table_entry);
    heap->table_room = room;
    heap->table_conflicts = 0;
}

static void table_use(struct heap *heap, struct table_entry *table, unsigned entries,
                      unsigned room) {
    bool fast = engine_thread.table == heap->table;

    engine_lock(LOCK_HEAPS); /* engine_forget_aliases goes over the entries */
    table_start(heap, table, entries, room);
    engine_unlock(LOCK_HEAPS);
    if (fast)
        thread_use(heap);
}

/* Four times as many entries; what the old one knew is learnt again. */
static void table_grow(struct heap *heap) {
    unsigned entries = table_entries(heap), room = heap->table_room;
    struct table_entry *old = heap->table, *table = old;

    heap->table_conflicts = 0;
    if (entries >= TABLE_MOST)
        return;
    if (entries * 4 > room) {
        room = entries * 4;
        table = meta_alloc(room * sizeof(*table));
    }
    if (table == NULL)
        return;
    table_use(heap, table, entries * 4, room);
    if (table != old)
        table_purge(old, 0, entries);
}

/* That of a pool that was emptied: who comes back is learnt again. */
static void table_shrink(struct heap *heap) {
    unsigned entries = table_entries(heap);

    if (entries <= TABLE_KEPT)
        return;
    table_use(heap, heap->table, TABLE_LEAST, heap->table_room);
    table_purge(heap->table, TABLE_LEAST, entries);
}

/* The place in the line that holds this alias, or null. */
static struct table_entry *table_find(const struct heap *heap, size_t at, uint64_t alias) {
    struct table_entry *line = table_at(heap->table, at & ~WAY_MASK);
    for (unsigned i = 0; i < WAYS; i++)
        if (STATE_LOAD(&line[i].alias) == alias)
            return &line[i];
    return NULL;
}

uint32_t heap_known(const struct heap *heap, uint64_t alias) {
    size_t at = table_offset(alias, heap->table_mask);
    const struct table_entry *e = table_at(heap->table, at);

    if (STATE_LOAD(&e->alias) == alias)
        return e->bins->account;
    e = table_find(heap, at, -alias);
    return e == NULL ? 0 : WHO_ACCOUNT(e->who);
}

/* Where an alias without bins goes: where it is, its own place, its neighbour or another one that is empty, else one in turn. */
static struct table_entry *table_cold_place(struct heap *heap, size_t at, uint64_t alias) {
    struct table_entry *e = table_find(heap, at, -alias), *own = table_at(heap->table, at);
    struct table_entry *neighbour = table_at(heap->table, NEIGHBOUR(at));

    if (STATE_LOAD(&own->alias) == alias || (e == NULL && STATE_LOAD(&own->alias) == TABLE_EMPTY))
        return own;
    if (e == NULL && STATE_LOAD(&neighbour->alias) == TABLE_EMPTY)
        return neighbour;
    if (e == NULL) {
        heap->table_conflicts++;
        e = table_find(heap, at, TABLE_EMPTY);
    }
    if (e == NULL)
        e = table_at(heap->table,
                     (at & ~WAY_MASK) + heap->table_conflicts % WAYS * sizeof(struct table_entry));
    return e;
}

static void table_put(struct table_entry *e, uint64_t alias, uint64_t who, struct binset *set) {
    STATE_STORE(&e->alias, TABLE_EMPTY);
    if (set != NULL)
        e->bins = set;
    else
        e->who = who;
    STATE_STORE(&e->alias, set != NULL ? alias : -alias);
}

static void table_put_set(struct heap *heap, size_t at, uint64_t alias, struct binset *set) {
    struct table_entry *e = table_at(heap->table, at), *cold = table_find(heap, at, -alias);
    uint64_t seen = STATE_LOAD(&e->alias);

    if (cold != NULL)
        STATE_STORE(&cold->alias, TABLE_EMPTY);
    else if (seen != TABLE_EMPTY && seen != alias)
        heap->table_conflicts++;
    table_put(e, alias, 0, set);
}

void heap_install(struct heap *heap, uint64_t alias, uint32_t account, struct binset *set) {
    size_t at = table_offset(alias, heap->table_mask);
    uint64_t who = set == NULL ? heap_who(heap, account) : 0;

    if (heap->table_conflicts > table_entries(heap) / GROW_SHARE) {
        table_grow(heap);
        at = table_offset(alias, heap->table_mask);
    }
    if (set != NULL)
        table_put_set(heap, at, alias, set);
    else
        table_put(table_cold_place(heap, at, alias), alias, who, NULL);
}

void engine_forget_aliases(void) {
    if (engine_root() == NULL)
        return;
    engine_lock(LOCK_HEAPS);
    for (struct heap *h = heap_first(); h != NULL; h = (struct heap *)h->public.next_heap) {
        /* All of them. An owner that is installing an alias of another module right now loses it and learns it again. */
        for (unsigned i = 0; i < table_entries(h); i++)
            STATE_STORE(&h->table[i].alias, TABLE_EMPTY);
    }
    engine_unlock(LOCK_HEAPS);
}

/* --- counters ------------------------------------------------------------------------------------------ */

void heap_show_counters(struct heap *heap, uint32_t account) {
    if (account >= STATE_LOAD(&heap->public.counters_high))
        atomic_store_explicit(&heap->public.counters_high, account + 1, memory_order_release);
}

void count_alloc(struct heap *heap, uint32_t account, uint64_t bytes) {
    struct counters *shared = account_shared_counters(account);

    if (RXP_LIKELY(heap != NULL)) {
        heap_show_counters(heap, account);
        /* Bytes before blocks: a reader never finds a block without its bytes. */
        RXP_COUNTER_ADD(&heap_counters(heap, account)->bytes_in, bytes);
        RXP_COUNTER_ADD(&heap_counters(heap, account)->allocs, 1);
    } else {
        atomic_fetch_add(&shared->bytes_in, bytes);
        atomic_fetch_add(&shared->allocs, 1);
    }
}

void count_free(struct heap *heap, uint32_t account, uint64_t bytes) {
    struct counters *shared = account_shared_counters(account);

    if (RXP_LIKELY(heap != NULL)) {
        heap_show_counters(heap, account);
        RXP_COUNTER_ADD(&heap_counters(heap, account)->frees, 1);
        RXP_COUNTER_ADD(&heap_counters(heap, account)->bytes_out, bytes);
    } else {
        atomic_fetch_add(&shared->frees, 1);
        atomic_fetch_add(&shared->bytes_out, bytes);
    }
}

void count_resize(struct heap *heap, uint32_t account, uint64_t old_bytes, uint64_t new_bytes) {
    struct counters *shared = account_shared_counters(account);
    bool grown = new_bytes > old_bytes;
    uint64_t n = grown ? new_bytes - old_bytes : old_bytes - new_bytes;

    if (heap != NULL) {
        struct counters *own = heap_counters(heap, account);
        heap_show_counters(heap, account);
        RXP_COUNTER_ADD(grown ? &own->bytes_in : &own->bytes_out, n);
    } else {
        atomic_fetch_add(grown ? &shared->bytes_in : &shared->bytes_out, n);
    }
}

bool flow_in(struct heap *heap, uint32_t account, uint32_t bytes) {
    heap_show_counters(heap, account);
    return flow_count_in(&heap->flows[account], FLOW_OF(bytes));
}

void flow_out(struct heap *heap, uint32_t account, uint32_t bytes) {
    if (RXP_UNLIKELY(heap == NULL)) {
        count_free(NULL, account, bytes);
        return;
    }
    heap_show_counters(heap, account);
    if (flow_count_out(&heap->flows[account], FLOW_OF(bytes)))
        flow_carry(heap, account);
}

RXP_COLD void flow_carry(struct heap *heap, uint32_t account) {
    struct counters *c = heap_counters(heap, account);
    struct flow *flow = &heap->flows[account];
    uint64_t in = FLOW_OUT(STATE_LOAD(&flow->in)), out = STATE_LOAD(&flow->out);

    /* An exchange, so that nothing written behind it is seen before it. */
    atomic_exchange(&heap->public.carrying, account);
    RXP_COUNTER_ADD(&c->bytes_in, FLOW_BYTES(in));
    RXP_COUNTER_ADD(&c->allocs, FLOW_BLOCKS(in));
    RXP_COUNTER_ADD(&c->frees, FLOW_BLOCKS(out));
    RXP_COUNTER_ADD(&c->bytes_out, FLOW_BYTES(out));
    STATE_STORE(&flow->in, 0);
    STATE_STORE(&flow->out, 0);
    atomic_store_explicit(&heap->public.carries, STATE_LOAD(&heap->public.carries) + 1,
                          memory_order_release);
    atomic_store_explicit(&heap->public.carrying, 0, memory_order_release);
}

/* --- promotion ------------------------------------------------------------------------------------------ */

static void heat_window(struct heap *heap) {
    heap->looks_in_window /= 2;
    for (unsigned i = 0; i < HEAT_ENTRIES; i++)
        heap->heat[i].heat /= 2;
}

/*
 * Whether the account makes one in WARM_SHARE of this heap's allocations from mixed slabs. A newcomer wears its place's
 * holder down first. An account's looks are LOOK_EACH of its blocks apart, so that few of them tell its share well.
 */
static bool heat_enough(struct heap *heap, uint32_t account) {
    struct heat_entry *e = &heap->heat[account % HEAT_ENTRIES];

    if (++heap->looks_in_window >= WINDOW)
        heat_window(heap);
    if (e->account != account) {
        if (e->heat > 0) {
            e->heat--;
            return false;
        }
        e->account = account;
    }
    e->heat++;
    return heap->crowded ? e->heat >= WARM_LOOKS_CROWDED &&
                               e->heat * WARM_SHARE_CROWDED >= heap->looks_in_window
                         : e->heat >= WARM_LOOKS && e->heat * WARM_SHARE >= heap->looks_in_window;
}

static enum class_layout layout_of(uint32_t account) {
    return account_at(account)->type & ACCOUNT_DENSE ? LAYOUT_DENSE : LAYOUT_POOL;
}

void heap_look(struct heap *heap, uint64_t alias, uint32_t account) {
    struct binset *set = heap_set(heap, account);

    if (FLOW_FULL(FLOW_OUT(STATE_LOAD(&heap->flows[account].in))))
        flow_carry(heap, account);
    if (options_get()->strict == OPTIONS_STRICT_ALL)
        return;
    if (heat_enough(heap, account)) {
        set = heap_set_make(heap, account, layout_of(account));
        if (set != NULL)
            set->warm = true;
    }
    if (set != NULL && alias != 0)
        heap_install(heap, alias, account, set->warm || set->own != 0 ? set : NULL);
}

struct binset *heap_first_set(struct heap *heap, uint32_t account) {
    struct binset *set;

    if (heap->set_count > RXP_COUNT(heap->mixed) || options_get()->strict == OPTIONS_STRICT_ALL)
        return NULL;
    set = heap_set_make(heap, account, layout_of(account));
    if (set != NULL)
        set->first = true;
    return set;
}

/*
 * A warm account's class earns slabs of its own with its ASKED_ENOUGH-th call. All classes of an account do so sooner or
 * later: a call to a mixed slab here and one to an own slab there is worse than either, since nobody can tell which is next.
 */
bool heap_own(struct binset *set, unsigned class) {
    if (set->own >> class & 1)
        return true;
    if (!set->first && (!set->warm || ++set->asked[class] < ASKED_ENOUGH))
        return false;
    set->own |= (uint64_t)1 << class;
    return true;
}

void heap_disown(struct binset *set, unsigned class) {
    set->own &= ~((uint64_t)1 << class);
    set->asked[class] = 0;
}

/* --- taking and leaving ----------------------------------------------------------------------------------- */

void engine_fast_paths(bool enabled) {
    struct heap *heap = engine_thread.heap;

    thread_leave();
    engine_thread.slow = !enabled;
    if (heap != NULL)
        thread_use(heap);
}

void heap_rest(void) {
    struct heap *heap = engine_thread.heap;

    if (heap == NULL || engine_thread.resting ||
        (heap->rest_again != 0 && plat_clock_ms() < heap->rest_again))
        return;
    engine_thread.resting = true;
    engine_thread.direct_id = THREAD_NO_ID;
    engine_thread.table = engine_miss;
    engine_thread.mask = 0;
    heap->rest_until = heap->filled + REST_FILLED;
    heap->rest_calls = 0;
    heap->rest_again = 0;
}

void heap_peek(struct heap *heap) {
    engine_thread.peeks = true;
    heap_miss(heap, true);
}

void heap_peeked(struct heap *heap) {
    uint64_t now = plat_clock_ms();

    engine_thread.peeks = false;
    if (heap->sample_due == 0)
        heap_miss(heap, false);
    if (now - heap->ticked_at < options_get()->purge_ms)
        return;
    heap->ticked_at = now;
    slab_sweep(heap);
    range_purge(true);
}

static void rest_over(struct heap *heap) {
    engine_thread.resting = false;
    thread_use(heap);
}

static void rest_look(struct heap *heap, uint64_t now) {
    range_purge(false);
    if (!heap_sweep_due(heap, now))
        return;
    bool quiet = !range_emptied();
    slab_sweep(heap);
    if (quiet)
        range_purge(true); /* what the sweep found has been idle as long as all else */
}

void heap_rested(struct heap *heap) {
    if ((int32_t)(heap->filled - heap->rest_until) >= 0) {
        rest_over(heap);
        return;
    }
    uint64_t now = plat_clock_ms();
    if (now != heap->rested_at) { /* else nothing is idle for longer than it was at the last call */
        heap->rested_at = now;
        rest_look(heap, now);
        if (!range_above()) {
            table_shrink(heap);
            rest_over(heap);
            return;
        }
    }
    if (++heap->rest_calls == REST_CALLS) {
        rest_over(heap);
        heap->rest_again = now + REST_PAUSE;
    }
}

/* With the heaps lock. */
static struct heap *heap_new(void) {
    struct root *root = range_root(0);
    size_t size = sizeof(struct heap) + root->account_capacity * sizeof(struct flow);
    struct heap *heap = heaps.last_id + 1 < RXP_COUNT(heaps.by_id) ? meta_alloc(size) : NULL;

    if (heap == NULL)
        return NULL;
    struct table_entry *table = meta_alloc(TABLE_LEAST * sizeof(*table));
    heap->public.counters = (uintptr_t)meta_alloc(root->account_capacity * sizeof(struct counters));
    if (table == NULL || heap->public.counters == 0)
        return NULL;
    table_start(heap, table, TABLE_LEAST, TABLE_LEAST);
    heap->public.flows = (uintptr_t)heap->flows;
    set_start(heap, &heap->mixed[LAYOUT_POOL], 0, LAYOUT_POOL);
    set_start(heap, &heap->mixed[LAYOUT_DENSE], 0, LAYOUT_DENSE);
    heap->public.id = ++heaps.last_id;
    heap->public.next_heap = STATE_LOAD(&root->heaps);
    STATE_STORE(&heap->public.state, HEAP_TAKEN);
    atomic_store_explicit(&heaps.by_id[heap->public.id], heap, memory_order_release);
    atomic_store_explicit(&root->heaps, (uintptr_t)heap, memory_order_release);
    return heap;
}

static void free_append(struct heap *heap) {
    heap->next_free = NULL;
    *(heaps.free == NULL ? &heaps.free : &heaps.free_last->next_free) = heap;
    heaps.free_last = heap;
}

static struct heap *free_first(void) {
    struct heap *heap = heaps.free;

    if (heap != NULL)
        heaps.free = heap->next_free;
    return heap;
}

/*
 * The one with the most room of those that have waited longest; the others go to the end, so that all have their turn. Where
 * blocks pass from thread to thread it has been emptied meanwhile, while one that was just left is full.
 */
static struct heap *free_take(void) {
    struct heap *best = free_first(), *other = NULL;
    const struct heap *last = heaps.free_last;

    if (best == NULL || heaps.free == NULL)
        return best;
    uint64_t most = slab_room(best);
    for (unsigned i = 1; i < HEAPS_LOOKED_AT && other != last; i++) {
        other = free_first();
        uint64_t room = slab_room(other);
        free_append(room > most ? best : other);
        if (room > most) {
            most = room;
            best = other;
        }
    }
    return best;
}

static struct heap *heap_take(void) {
    engine_lock(LOCK_HEAPS);
    struct heap *heap = free_take();
    if (heap != NULL) {
        atomic_store(&heap->public.state, HEAP_TAKEN);
        slab_adopt_all(heap);
    } else {
        heap = heap_new();
    }
    engine_unlock(LOCK_HEAPS);
    return heap;
}

static void heap_leave(void *argument) {
    struct heap *heap = argument;

    thread_leave();
    engine_thread.ended = 1;
    engine_lock(LOCK_HEAPS);
    slab_orphan_all(heap);
    free_append(heap);
    engine_unlock(LOCK_HEAPS);
}

static RXP_COLD struct heap *heap_start_thread(void) {
    if (engine_thread.ended || !engine_ready())
        return NULL;
    struct heap *heap = heap_take();
    if (heap == NULL)
        return NULL;
    thread_use(heap);
    /* May itself allocate, from the heap that this thread has by now. */
    plat_at_thread_exit(heap_leave, heap);
    return heap;
}

struct heap *heap_mine(void) {
    struct heap *heap = engine_thread.heap;
    return RXP_LIKELY(heap != NULL) ? heap : heap_start_thread();
}

struct heap *heap_late(void) {
    if (heaps.late == NULL && engine_ready())
        heaps.late = heap_take();
    return heaps.late;
}

/* --- fork --------------------------------------------------------------------------------------------------- */

void heaps_after_fork(void) {
    for (struct heap *h = heap_first(); h != NULL; h = (struct heap *)h->public.next_heap) {
        bool others = h != engine_thread.heap && h != heaps.late;
        if (others && STATE_LOAD(&h->public.state) == HEAP_TAKEN)
            STATE_STORE(&h->public.state, HEAP_SEALED);
        STATE_STORE(&h->public.carrying, 0); /* nobody goes on with it */
        if (STATE_LOAD(&h->public.state) != HEAP_SEALED)
            slab_settle_all(h);
    }
}
