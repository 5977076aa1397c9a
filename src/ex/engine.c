/*
 * The slow half of allocate and free, and what a pointer is: everything that fast.h sends here.
 */
#include "base/options.h"
#include "ex/account.h"
#include "ex/fork.h"
#include "ex/range.h"
#include "ex/slab.h"
#include "ex/span.h"

/* --- start ------------------------------------------------------------------------------------------- */

enum { UNSTARTED, STARTED, REFUSED };

static struct plat_lock start_lock;
static _Atomic int start_state;

static RXP_COLD bool engine_start(void) {
    plat_lock_acquire(&start_lock);
    bool first = STATE_LOAD(&start_state) == UNSTARTED;
    if (first) {
        classes_init();
        heaps_init();
        bool ok = range_init() && accounts_init();
        atomic_store_explicit(&start_state, ok ? STARTED : REFUSED, memory_order_release);
    }
    bool ok = STATE_LOAD(&start_state) == STARTED;
    plat_lock_release(&start_lock);
    if (first && options_get()->attach != OPTIONS_ATTACH_DEFAULT)
        plat_allow_readers(options_get()->attach == OPTIONS_ATTACH_USER);
    /* May itself allocate, from the pool that stands by now. */
    if (first && ok)
        fork_register();
    return ok;
}

bool engine_ready(void) {
    return RXP_LIKELY(atomic_load_explicit(&start_state, memory_order_acquire) == STARTED) ||
           engine_start();
}

const struct root *engine_root(void) {
    return range_root(0);
}

/* --- allocate ------------------------------------------------------------------------------------------ */

static enum class_layout layout_of(uint32_t account) {
    return account_at(account)->type & ACCOUNT_DENSE ? LAYOUT_DENSE : LAYOUT_POOL;
}

/* The account behind an alias, remembered per heap: a cold tag comes by here at every call. */
static uint32_t account_by_alias(struct heap *heap, uint64_t alias, uint64_t key) {
    struct cold_entry *e = &heap->cold[table_offset(alias, ~(uint64_t)0) % COLD_ENTRIES];

    if (e->account == 0 || STATE_LOAD(&e->alias) != alias) {
        e->account = account_of(key);
        STATE_STORE(&e->alias, alias);
    }
    return e->account;
}

/* Own slabs where the account has earned them for this class; else a mixed one. */
static void *small_alloc(struct heap *heap, uint64_t alias, uint32_t account, unsigned class,
                         unsigned flags) {
    enum class_layout layout = layout_of(account);
    struct binset *set = heap_set(heap, account);
    uint64_t bit = (uint64_t)1 << class;

    if ((set == NULL || !(set->own & bit)) && heap_heat(heap, account, layout, class)) {
        set = heap_set_make(heap, account, layout);
        if (set != NULL)
            set->own |= bit;
    }
    if (set == NULL)
        return slab_take_mixed(heap, account, layout, class);
    if (!(flags & ENGINE_NO_INSTALL))
        heap_install(heap, alias, set);
    if (!(set->own & bit))
        return slab_take_mixed(heap, account, layout, class);
    void *block = fast_take(set->current[class]);
    if (block == NULL && slab_refill(heap, set, class))
        block = fast_take(set->current[class]);
    return block;
}

static void *heap_alloc(struct heap *heap, uint64_t alias, uint64_t key, size_t size,
                        size_t alignment, unsigned flags) {
    uint32_t account =
        flags & ENGINE_NO_INSTALL ? account_of(key) : account_by_alias(heap, alias, key);
    enum class_layout layout = layout_of(account);
    int class;

    if (alignment <= 16)
        class = size <= SLAB_BLOCK_MAX ? engine_classes.of[layout][(size + 15) >> 4] : -1;
    else
        class = classes_aligned(layout, size, alignment);
    if (class < 0)
        return span_alloc(heap, account, size, alignment, flags);
    void *block = small_alloc(heap, alias, account, (unsigned)class, flags);
    if (block != NULL && (flags & ENGINE_ZERO))
        __builtin_memset(block, 0, engine_classes.info[layout][class].block_size);
    return block;
}

/* For threads past their end, and where there are more threads than heaps can be had. */
static RXP_COLD void *late_alloc(uint64_t key, size_t size, size_t alignment, unsigned flags) {
    void *block = NULL;

    engine_lock(LOCK_LATE);
    struct heap *heap = heap_late();
    if (heap != NULL)
        block = heap_alloc(heap, 0, key, size, alignment, flags | ENGINE_NO_INSTALL);
    engine_unlock(LOCK_LATE);
    return block;
}

static void *any_alloc(uint64_t alias, uint64_t key, size_t size, size_t alignment,
                       unsigned flags) {
    struct heap *heap = heap_mine();

    if (RXP_UNLIKELY(heap == NULL))
        return engine_ready() ? late_alloc(key, size, alignment, flags) : NULL;
    if (RXP_UNLIKELY(engine_thread.resting))
        heap_rested(heap);
    return heap_alloc(heap, alias, key, size, alignment, flags);
}

void *engine_alloc(uint64_t alias, uint64_t key, size_t size, unsigned flags) {
    return any_alloc(alias, key, size, flags & ENGINE_CACHE_ALIGNED ? 64 : 16, flags);
}

void *engine_alloc_aligned(uint64_t key, size_t size, size_t alignment, unsigned flags) {
    return any_alloc(0, key, size, alignment, flags | ENGINE_NO_INSTALL);
}

/* --- what a pointer is ------------------------------------------------------------------------------------ */

static void describe_span(const struct slab *slab, struct engine_block *out) {
    out->start = range_slab_base(slab);
    out->size = slab->span_bytes;
    out->account = STATE_LOAD(&slab->account);
}

static void describe_account(struct engine_block *out) {
    if (out->account == 0)
        return;
    const struct account *a = account_at(out->account);
    out->tag = a->tag;
    out->type = a->type;
    out->site = a->site;
}

/* The block of a slab in service that holds the address; false in what a unit leaves over. */
static bool describe_block(const struct slab *slab, uintptr_t address, struct engine_block *out) {
    const struct class_info *c = slab_class(slab);
    uint32_t within = (uint32_t)address & c->unit_mask;
    uint32_t index = within / c->block_size;

    if (index >= c->per_unit)
        return false;
    out->start = address - within + (uintptr_t)index * c->block_size;
    out->size = c->block_size;
    out->account = slab->kind == SLAB_MIXED ? slab_side_account(slab, (void *)out->start)
                                            : STATE_LOAD(&slab->account);
    return true;
}

enum engine_verdict engine_lookup(const void *address, struct engine_block *out) {
    struct slab *slab = range_slab(address);
    enum engine_verdict verdict = ENGINE_OK;

    *out = (struct engine_block){0};
    if (slab == NULL)
        return ENGINE_FOREIGN;
    if (STATE_LOAD(&slab->kind) == SLAB_NONE)
        slab = span_around(slab);
    if (slab == NULL)
        return ENGINE_UNUSED;
    if (STATE_LOAD(&slab->kind) == SLAB_SPAN)
        describe_span(slab, out);
    else if (!describe_block(slab, (uintptr_t)address, out))
        return ENGINE_INTERIOR;
    else if (STATE_LOAD(&slab->kind) == SLAB_MIXED && out->account == 0)
        verdict = ENGINE_NOT_LIVE;
    describe_account(out);
    return out->start == (uintptr_t)address ? verdict : ENGINE_INTERIOR;
}

size_t engine_size(const void *block) {
    const struct slab *slab = range_slab(block);

    if (slab == NULL)
        return 0;
    switch (STATE_LOAD(&slab->kind)) {
    case SLAB_OWN:
        return slab_starts_block(slab, block) ? slab->block_size : 0;
    case SLAB_MIXED:
        return slab_starts_block(slab, block) && slab_side_account(slab, block) != 0
                   ? slab->block_size
                   : 0;
    case SLAB_SPAN:
        return range_slab_base(slab) == (uintptr_t)block ? slab->span_bytes : 0;
    default:
        return 0;
    }
}

bool engine_resize(void *block, size_t size) {
    struct slab *slab = range_slab(block);

    if (slab == NULL || engine_size(block) == 0)
        return false;
    if (STATE_LOAD(&slab->kind) == SLAB_SPAN)
        return span_resize(engine_thread.heap, slab, size);
    return size <= slab->block_size;
}

/* --- free --------------------------------------------------------------------------------------------------- */

static bool owned_here(const struct slab *slab) {
    const struct heap *heap = engine_thread.heap;
    return heap != NULL && slab_owner(slab) == heap->public.id;
}

static enum engine_verdict free_mixed(struct slab *slab, void *block, uint32_t tag) {
    uint32_t account = slab_side_account(slab, block);

    if (account == 0)
        return ENGINE_NOT_LIVE;
    if (tag != 0 && tag != account_at(account)->tag)
        return ENGINE_WRONG_TAG;
    bool owned = owned_here(slab);
    if (!slab_side_clear(slab, block, account, owned))
        return ENGINE_NOT_LIVE;
    /* Counted before it can be allocated again: a reader finds no free of a block without its allocation. */
    count_free(engine_thread.heap, account, slab->block_size);
    if (owned)
        fast_give(slab, block);
    else
        slab_push(slab, block);
    return ENGINE_OK;
}

static enum engine_verdict free_own(struct slab *slab, void *block, uint32_t tag) {
    if (tag != 0 && tag != slab->tag)
        return ENGINE_WRONG_TAG;
    if (owned_here(slab))
        fast_give(slab, block);
    else
        slab_push(slab, block);
    return ENGINE_OK;
}

static enum engine_verdict free_span(struct slab *slab, const void *block, uint32_t tag) {
    if ((uintptr_t)block != range_slab_base(slab))
        return ENGINE_INTERIOR;
    if (tag != 0 && tag != slab->tag)
        return ENGINE_WRONG_TAG;
    return span_free(engine_thread.heap, slab) ? ENGINE_OK : ENGINE_NOT_LIVE;
}

enum engine_verdict engine_free(void *block, uint32_t tag) {
    struct slab *slab = range_slab(block);

    if (slab == NULL)
        return ENGINE_FOREIGN;
    switch (STATE_LOAD(&slab->kind)) {
    case SLAB_OWN:
        return slab_starts_block(slab, block) ? free_own(slab, block, tag) : ENGINE_INTERIOR;
    case SLAB_MIXED:
        return slab_starts_block(slab, block) ? free_mixed(slab, block, tag) : ENGINE_INTERIOR;
    case SLAB_SPAN:
        return free_span(slab, block, tag);
    default:
        return span_around(slab) != NULL ? ENGINE_INTERIOR : ENGINE_UNUSED;
    }
}

/* --- the rest ------------------------------------------------------------------------------------------------- */

void engine_hold(const void *block, int64_t blocks, int64_t bytes, int64_t overhead) {
    struct engine_block b;

    if (engine_lookup(block, &b) != ENGINE_OK || b.account == 0)
        return;
    struct account *a = account_at(b.account);
    atomic_fetch_add(&a->held_blocks, blocks);
    atomic_fetch_add(&a->held_bytes, bytes);
    atomic_fetch_add(&a->overhead_bytes, overhead);
}

size_t engine_trim(void) {
    struct heap *heap = heap_mine();

    if (heap == NULL)
        return 0;
    slab_sweep(heap);
    return range_purge(true);
}

static void (*describe_hook)(struct text *out, const void *address);

void engine_set_describe(void (*describe)(struct text *out, const void *address)) {
    describe_hook = describe;
    if (engine_ready())
        range_root(0)->checked = describe != NULL;
}

void engine_describe(struct text *out, const void *address) {
    if (describe_hook != NULL)
        describe_hook(out, address);
}
