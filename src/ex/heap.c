#include "ex/heap.h"
#include "base/options.h"
#include "ex/account.h"
#include "ex/range.h"
#include "ex/slab.h"

#define DECAY_EVERY 16384u
#define HEAT_ENOUGH 32u
#define SETS_MOST 2048u

struct slab engine_no_slab;

static struct binset no_bins;
struct table_entry engine_miss = {.alias = 0, .bins = &no_bins};

__thread struct thread_state engine_thread
    __attribute__((tls_model("initial-exec"))) = {.table = &engine_miss, .id = THREAD_NO_ID};

static struct {
    struct heap *free; /* left by their threads */
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

/* No alias of the miss entry's value may ever come by: bit 63 is an alias's, the rest is no page. */
void heaps_init(void) {
    STATE_STORE(&engine_miss.alias, UINT64_MAX);
    for (unsigned c = 0; c < CLASSES_MAX; c++)
        no_bins.current[c] = &engine_no_slab;
}

/* --- bins ------------------------------------------------------------------------------------------ */

static struct binset *set_new(struct heap *heap, uint32_t account, enum class_layout layout) {
    struct binset *set = meta_alloc(sizeof(*set));
    if (set == NULL)
        return NULL;
    for (unsigned c = 0; c < CLASSES_MAX; c++)
        set->current[c] = &engine_no_slab;
    set->account = account;
    set->layout = layout;
    set->next = heap->sets;
    heap->sets = set;
    heap->set_count++;
    return set;
}

struct binset *heap_set(const struct heap *heap, uint32_t account) {
    struct binset **chunk = heap->set_chunk[account / CHUNK_ACCOUNTS];
    return chunk == NULL ? NULL : chunk[account % CHUNK_ACCOUNTS];
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

struct binset *heap_set_of(struct heap *heap, const struct slab *slab) {
    return slab->kind == SLAB_MIXED ? heap->mixed[slab->layout]
                                    : heap_set(heap, STATE_LOAD(&slab->account));
}

/* --- the thread's view ---------------------------------------------------------------------- */

static void thread_use(struct heap *heap) {
    engine_thread.heap = heap;
    if (engine_thread.slow || engine_thread.resting)
        return;
    engine_thread.table = heap->table;
    engine_thread.mask = heap->table_mask;
    engine_thread.id = heap->public.id;
}

static void thread_leave(void) {
    engine_thread.table = &engine_miss;
    engine_thread.mask = 0;
    engine_thread.id = THREAD_NO_ID;
    engine_thread.heap = NULL;
}

/* --- the table --------------------------------------------------------------------------------------- */

static struct table_entry *table_new(unsigned entries) {
    struct table_entry *table = meta_alloc(entries * sizeof(*table));
    if (table == NULL)
        return NULL;
    for (unsigned i = 0; i < entries; i++)
        table[i] = (struct table_entry){.alias = UINT64_MAX, .bins = &no_bins};
    return table;
}

static struct table_entry *table_entry(struct heap *heap, uint64_t alias) {
    return (struct table_entry *)((char *)heap->table + table_offset(alias, heap->table_mask));
}

/* Four times as many entries; what the old one knew is learnt again. */
static void table_grow(struct heap *heap) {
    unsigned entries = (unsigned)(heap->table_mask / sizeof(struct table_entry)) + 1;
    struct table_entry *table = entries < TABLE_MOST ? table_new(entries * 4) : NULL;

    heap->table_conflicts = 0;
    if (table == NULL)
        return;
    bool fast = engine_thread.table == heap->table;
    engine_lock(LOCK_HEAPS); /* engine_forget_aliases reads the two together */
    heap->table = table;
    heap->table_mask = (entries * 4 - 1) * sizeof(struct table_entry);
    engine_unlock(LOCK_HEAPS);
    if (fast)
        thread_use(heap);
}

void heap_install(struct heap *heap, uint64_t alias, struct binset *set) {
    struct table_entry *e = table_entry(heap, alias);

    if (STATE_LOAD(&e->alias) != UINT64_MAX && STATE_LOAD(&e->alias) != alias &&
        ++heap->table_conflicts > heap->table_mask / sizeof(*e)) {
        table_grow(heap);
        e = table_entry(heap, alias);
    }
    e->bins = set;
    STATE_STORE(&e->alias, alias);
}

void engine_forget_aliases(void) {
    if (engine_root() == NULL)
        return;
    engine_lock(LOCK_HEAPS);
    for (struct heap *h = heap_first(); h != NULL; h = (struct heap *)h->public.next_heap) {
        /* An owner that is installing an alias of another module right now loses it and learns it again. */
        for (size_t i = 0; i <= h->table_mask / sizeof(struct table_entry); i++)
            if (STATE_LOAD(&h->table[i].alias) & ENGINE_ALIAS)
                STATE_STORE(&h->table[i].alias, UINT64_MAX);
        for (size_t i = 0; i < COLD_ENTRIES; i++)
            if (STATE_LOAD(&h->cold[i].alias) & ENGINE_ALIAS)
                STATE_STORE(&h->cold[i].alias, 0);
    }
    engine_unlock(LOCK_HEAPS);
}

/* --- counters ------------------------------------------------------------------------------------------ */

struct counters *heap_counters(struct heap *heap, uint32_t account) {
    _Atomic uint64_t *place = &heap->public.chunk[account / CHUNK_ACCOUNTS];
    uint64_t chunk = STATE_LOAD(place);

    if (RXP_UNLIKELY(chunk == 0)) {
        chunk = (uintptr_t)meta_alloc(CHUNK_ACCOUNTS * sizeof(struct counters));
        if (chunk == 0)
            return NULL;
        atomic_store_explicit(place, chunk, memory_order_release);
    }
    return (struct counters *)chunk + account % CHUNK_ACCOUNTS;
}

static void counter_add(_Atomic uint64_t *counter, uint64_t n) {
    atomic_store_explicit(counter, STATE_LOAD(counter) + n, memory_order_release);
}

/* Bytes before blocks: a reader never finds a block without its bytes. */
void count_alloc(struct heap *heap, uint32_t account, uint64_t bytes) {
    struct counters *own = heap == NULL ? NULL : heap_counters(heap, account);
    struct counters *shared = account_shared_counters(account);

    if (RXP_LIKELY(own != NULL)) {
        counter_add(&own->bytes_in, bytes);
        counter_add(&own->allocs, 1);
    } else {
        atomic_fetch_add(&shared->bytes_in, bytes);
        atomic_fetch_add(&shared->allocs, 1);
    }
}

void count_free(struct heap *heap, uint32_t account, uint64_t bytes) {
    struct counters *own = heap == NULL ? NULL : heap_counters(heap, account);
    struct counters *shared = account_shared_counters(account);

    if (RXP_LIKELY(own != NULL)) {
        counter_add(&own->frees, 1);
        counter_add(&own->bytes_out, bytes);
    } else {
        atomic_fetch_add(&shared->frees, 1);
        atomic_fetch_add(&shared->bytes_out, bytes);
    }
}

void count_resize(struct heap *heap, uint32_t account, uint64_t old_bytes, uint64_t new_bytes) {
    struct counters *own = heap == NULL ? NULL : heap_counters(heap, account);
    struct counters *shared = account_shared_counters(account);
    bool grown = new_bytes > old_bytes;
    uint64_t n = grown ? new_bytes - old_bytes : old_bytes - new_bytes;

    if (own != NULL)
        counter_add(grown ? &own->bytes_in : &own->bytes_out, n);
    else
        atomic_fetch_add(grown ? &shared->bytes_in : &shared->bytes_out, n);
}

/* --- promotion ------------------------------------------------------------------------------------------ */

static void heat_decay(struct heap *heap) {
    heap->cold_since_decay = 0;
    for (unsigned i = 0; i < HEAT_ENTRIES; i++)
        heap->heat[i].heat /= 2;
}

/*
 * An (account, class) earns own slabs when it makes about one in 500 of this heap's cold allocations, so that at most
 * some hundreds do at a time whatever the number of tags. A newcomer wears its place's holder down first.
 */
bool heap_heat(struct heap *heap, uint32_t account, enum class_layout layout, unsigned class) {
    uint32_t who = account << 8 | (uint32_t)layout << 7 | class;
    struct heat_entry *e = &heap->heat[(who * 0x9E3779B1u) >> 21];

    if (options_get()->strict == OPTIONS_STRICT_ALL)
        return false;
    if (++heap->cold_since_decay >= DECAY_EVERY)
        heat_decay(heap);
    if (e->who != who) {
        if (e->heat > 0) {
            e->heat--;
            return false;
        }
        e->who = who;
    }
    return ++e->heat >= HEAT_ENOUGH;
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

    if (heap == NULL || engine_thread.resting)
        return;
    thread_leave();
    engine_thread.resting = true;
    engine_thread.heap = heap;
}

void heap_rested(struct heap *heap) {
    bool long_idle = heap_sweep_due(heap);

    if (long_idle)
        slab_sweep(heap);
    range_purge(long_idle); /* what the sweep found has been idle as long */
    if (range_above())
        return;
    engine_thread.resting = false;
    thread_use(heap);
}

/* With the heaps lock. */
static struct heap *heap_new(void) {
    struct heap *heap =
        heaps.last_id + 1 < RXP_COUNT(heaps.by_id) ? meta_alloc(sizeof(*heap)) : NULL;
    struct root *root = range_root(0);

    if (heap == NULL)
        return NULL;
    heap->table = table_new(TABLE_LEAST);
    heap->table_mask = (TABLE_LEAST - 1) * sizeof(struct table_entry);
    heap->mixed[LAYOUT_POOL] = set_new(heap, 0, LAYOUT_POOL);
    heap->mixed[LAYOUT_DENSE] = set_new(heap, 0, LAYOUT_DENSE);
    if (heap->table == NULL || heap->mixed[LAYOUT_POOL] == NULL ||
        heap->mixed[LAYOUT_DENSE] == NULL)
        return NULL;
    heap->public.id = ++heaps.last_id;
    heap->public.next_heap = STATE_LOAD(&root->heaps);
    STATE_STORE(&heap->public.state, HEAP_TAKEN);
    atomic_store_explicit(&heaps.by_id[heap->public.id], heap, memory_order_release);
    atomic_store_explicit(&root->heaps, (uintptr_t)heap, memory_order_release);
    return heap;
}

static struct heap *heap_take(void) {
    engine_lock(LOCK_HEAPS);
    struct heap *heap = heaps.free;
    if (heap != NULL) {
        heaps.free = heap->next_free;
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
    heap->next_free = heaps.free;
    heaps.free = heap;
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
        if (STATE_LOAD(&h->public.state) != HEAP_SEALED)
            slab_settle_all(h);
    }
}
