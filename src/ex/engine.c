/*
 * The slow half of allocate and free, and what a pointer is: everything that fast.h sends here.
 */
#include "base/options.h"
#include "ex/account.h"
#include "ex/cold.h"
#include "ex/fault.h"
#include "ex/fork.h"
#include "ex/range.h"
#include "ex/share.h"
#include "ex/slab.h"
#include "ex/span.h"
#include "ex/special.h"

/* --- start ------------------------------------------------------------------------------------------- */

enum { UNSTARTED, STARTED, REFUSED };

static struct plat_lock start_lock;
static _Atomic int start_state;

static RXP_COLD bool engine_start(void) {
    plat_lock_acquire(&start_lock);
    bool first = STATE_LOAD(&start_state) == UNSTARTED;
    if (first) {
        classes_init();
        if (fault_wanted()) /* no call may go past fault_inject */
            engine_slow_always = true;
        bool ok = range_init() && accounts_init();
        if (ok)
            special_start();
        else
            STATE_STORE(&special_asked, 0);
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

void engine_start_hold(void) {
    plat_lock_acquire(&start_lock);
}

void engine_start_go(void) {
    plat_lock_release(&start_lock);
}

bool engine_is_started(void) {
    return STATE_LOAD(&start_state) == STARTED;
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

static void *own_alloc(struct heap *heap, struct binset *set, unsigned class) {
    void *block = fast_take(set->current[class]);

    if (block == NULL && slab_refill(heap, set, class))
        block = fast_take(set->current[class]);
    return block;
}

/*
 * From own slabs where the account has earned them for this class; else from a mixed one. Where one can't be had the other
 * may: an own slab needs no side array, and a mixed one may have blocks left.
 */
static void *bin_alloc(struct heap *heap, struct binset *set, uint64_t alias, uint32_t account,
                       enum class_layout layout, unsigned class) {
    bool own = set != NULL && heap_own(set, class);
    void *block =
        own ? own_alloc(heap, set, class) : slab_take_mixed(heap, alias, account, layout, class);

    if (RXP_LIKELY(block != NULL) || set == NULL)
        return block;
    return own ? slab_take_mixed(heap, alias, account, layout, class) : own_alloc(heap, set, class);
}

static void *small_alloc(struct heap *heap, uint64_t alias, uint32_t account, unsigned class,
                         unsigned flags) {
    struct binset *set = heap_set(heap, account);

    if (RXP_UNLIKELY(set == NULL))
        set = heap_first_set(heap, account);
    if (flags & ENGINE_NO_INSTALL)
        alias = 0;
    else
        heap_install(heap, alias, account, set);
    return bin_alloc(heap, set, alias, account, layout_of(account), class);
}

/* The bins of `e` where they have slabs of their own for this class, which only a heap's table leads to. */
RXP_INLINE struct binset *bins_own(const struct table_entry *e, uint64_t alias, unsigned class) {
    return RXP_LIKELY(STATE_LOAD(&e->alias) == alias && e->bins->own >> class & 1) ? e->bins : NULL;
}

/* What the heap wants to do at the next allocation. */
RXP_INLINE void heap_turn(struct heap *heap) {
    if (RXP_UNLIKELY(engine_thread.peeks))
        heap_peeked(heap);
    if (RXP_UNLIKELY(engine_thread.resting))
        heap_rested(heap);
}

/* The call is slow for no other reason than that the heap rests or peeks, and that has been seen to. */
static bool only_rests(struct heap *heap) {
    if ((!engine_thread.resting && !engine_thread.peeks) || engine_thread.slow ||
        engine_slow_always || heap->sample_due != 0)
        return false;
    heap_turn(heap);
    return true;
}

static RXP_NOINLINE void *known_alloc(uint64_t alias, enum class_layout layout, unsigned class) {
    struct heap *heap = engine_thread.heap;

    if (engine_thread.table != heap->table && !only_rests(heap))
        return NULL;
    uint32_t account = heap_known(heap, alias);
    if (account == 0)
        return NULL;
    return bin_alloc(heap, heap_set(heap, account), alias, account, layout, class);
}

RXP_INLINE void *known_serve(uint64_t alias, enum class_layout layout, struct binset *bins,
                             unsigned class) {
    /* What may have a guard page is served by the caller's slow path; where one in so many may, the table misses then. */
    if (RXP_UNLIKELY(special_asks() & ~SPECIAL_SAMPLE))
        return NULL;
    return bins != NULL ? own_alloc(engine_thread.heap, bins, class)
                        : known_alloc(alias, layout, class);
}

/* Before a thread has a heap, another one may just be making the classes. */
RXP_INLINE bool may_be_known(size_t size, enum class_layout layout) {
    return RXP_LIKELY(engine_thread.heap != NULL) && size <= slab_block_max(layout);
}

void *engine_alloc_known(uint64_t alias, size_t size, enum class_layout layout) {
    if (!may_be_known(size, layout))
        return NULL;
    unsigned class = engine_classes.of[layout][(size + 15) >> 4];
    return known_serve(alias, layout, bins_own(fast_entry(alias), alias, class), class);
}

void *cold_look(void *block, uint64_t alias, uint64_t who) {
    heap_look(engine_thread.heap, alias, WHO_ACCOUNT(who));
    return block;
}

void cold_carry(struct slab *slab, void *block, uint32_t who) {
    flow_carry(engine_thread.heap, WHO_ACCOUNT(who));
    fast_give(slab, block);
}

void *engine_alloc_second(uint64_t alias, size_t size, enum class_layout layout) {
    if (!may_be_known(size, layout))
        return NULL;
    unsigned class = engine_classes.of[layout][(size + 15) >> 4];
    const struct table_entry *e = fast_entry(alias);
    struct binset *bins = bins_own(e, alias, class);
    void *block = bins == NULL ? cold_alloc(e, alias, size, layout) : NULL;
    return block != NULL ? block : known_serve(alias, layout, bins, class);
}

static void *heap_alloc(struct heap *heap, uint64_t alias, uint64_t key, size_t size,
                        size_t alignment, unsigned flags) {
    uint32_t account = account_of(key);
    enum class_layout layout = layout_of(account);
    int class;

    if (alignment <= 16)
        class = size <= slab_block_max(layout) ? (int)classes_of(layout, size) : -1;
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
    heap_turn(heap);
    return heap_alloc(heap, alias, key, size, alignment, flags);
}

void *engine_alloc(uint64_t alias, uint64_t key, size_t size, unsigned flags) {
    return any_alloc(alias, key, size, flags & ENGINE_CACHE_ALIGNED ? 64 : 16, flags);
}

void *engine_alloc_aligned(uint64_t alias, uint64_t key, size_t size, size_t alignment,
                           unsigned flags) {
    return any_alloc(alias, key, size, alignment, flags);
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
    if (STATE_LOAD(&slab->kind) == SLAB_SPECIAL) {
        verdict = special_lookup(slab, (uintptr_t)address, out);
        describe_account(out);
        return verdict;
    }
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

void *engine_move(void *block, size_t size) {
    struct slab *slab = range_slab(block);

    if (slab == NULL || STATE_LOAD(&slab->kind) != SLAB_SPAN || engine_size(block) == 0)
        return NULL;
    return span_move(engine_thread.heap, slab, size);
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
    flow_out(engine_thread.heap, account, slab->block_size);
    if (owned)
        fast_give(slab, block);
    else
        slab_push(slab, slab_owner(slab), block);
    return ENGINE_OK;
}

static enum engine_verdict free_own(struct slab *slab, void *block, uint32_t tag) {
    if (tag != 0 && tag != slab_label(slab)->tag)
        return ENGINE_WRONG_TAG;
    if (owned_here(slab))
        fast_give(slab_list(slab), block);
    else
        slab_push(slab, slab_owner(slab), block);
    return ENGINE_OK;
}

static enum engine_verdict free_span(struct slab *slab, const void *block, uint32_t tag) {
    if ((uintptr_t)block != range_slab_base(slab))
        return ENGINE_INTERIOR;
    if (tag != 0 && tag != slab_label(slab)->tag)
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
    case SLAB_SPECIAL:
        return special_free(slab, block, tag);
    default:
        return span_around(slab) != NULL ? ENGINE_INTERIOR : ENGINE_UNUSED;
    }
}

RXP_INLINE bool free_direct(const struct slab_label *label, void *block) {
    if (RXP_UNLIKELY(STATE_LOAD(&label->owner) != engine_thread.direct_id ||
                     !label_starts_block(label, block)))
        return false;
    fast_give(label_list(label), block);
    return true;
}

bool engine_free_direct(void *block) {
    return free_direct(fast_label(block), block);
}

/* --- a list that was overwritten ------------------------------------------------------------------------------ */

/* Of a slab of the first range, inline: mostly the next one lies in the slab of the block just taken. */
RXP_INLINE bool goes_on_nearby(const struct slab *slab, const void *block, const void *next) {
    uint32_t offset = (uint32_t)(uintptr_t)next & (SLAB_SIZE - 1);
    uint32_t page = (offset >> POOL_PAGE_SHIFT) - (uint32_t)(slab - engine_first.slabs);

    if (((uintptr_t)block ^ (uintptr_t)next) >= SLAB_SIZE || !slab_starts_block(slab, next) ||
        slab->flags & SLAB_LEADS)
        return false;
    return slab_label(slab)->unit_mask == 0xFFFF
               ? offset < (uint32_t)slab->carved * slab->block_size
               : page % 16 < slab->carved;
}

static RXP_NOINLINE bool goes_on_elsewhere(struct slab *slab, const void *block) {
    if (RXP_UNLIKELY(slab == &engine_no_slab) && (slab = range_slab(block)) == NULL)
        return true;
    if (STATE_LOAD(&slab->kind) == SLAB_OWN)
        slab = slab_list(slab);
    const void *next = slab->free;
    if (next == NULL || STATE_LOAD(&slab->kind) > SLAB_MIXED || !owned_here(slab))
        return true;
    if (slab->flags & SLAB_LEADS)
        return share_goes_on(engine_thread.heap, slab);
    if (RXP_LIKELY(((uintptr_t)block ^ (uintptr_t)next) < SLAB_SIZE &&
                   slab_starts_block(slab, next) && slab_has_carved(slab, next)))
        return true;
    slab->free = NULL;
    return false;
}

/* Nobody has followed slab->free yet: it is what the block just taken has said. */
RXP_INLINE bool goes_on(struct slab *slab, const void *block) {
    return RXP_LIKELY(goes_on_nearby(slab, block, slab->free)) || goes_on_elsewhere(slab, block);
}

bool engine_list_goes_on(const void *block) {
    struct slab *slab = fast_slab(block);
    return goes_on(STATE_LOAD(&slab->kind) == SLAB_OWN ? slab_list(slab) : slab, block);
}

/* The fast path, and a look at the list while its slab is at hand. */
RXP_INLINE struct backend_memory alloc_and_look(const struct table_entry *e, uint64_t alias,
                                                size_t size, enum class_layout layout) {
    if (RXP_UNLIKELY(STATE_LOAD(&e->alias) != alias || size > slab_block_max(layout)))
        return (struct backend_memory){NULL, false};
    struct slab *slab = e->bins->current[engine_classes.of[layout][(size + 15) >> 4]];
    void *block = fast_take(slab);
    return (struct backend_memory){block, RXP_LIKELY(block != NULL) && goes_on(slab, block)};
}

struct backend_memory engine_alloc_direct(uint64_t alias, size_t size) {
    if (RXP_UNLIKELY(engine_thread.direct_id == THREAD_NO_ID))
        return (struct backend_memory){NULL, false};
    const struct heap *heap = engine_thread.heap;
    const struct table_entry *e =
        (const struct table_entry *)((const char *)heap->table +
                                     table_offset(alias, heap->table_mask));
    struct backend_memory m = alloc_and_look(e, alias, size, LAYOUT_DENSE);
    if (RXP_LIKELY(m.memory != NULL))
        return m;
    m.memory = cold_alloc(e, alias, size, LAYOUT_DENSE);
    m.whole = m.memory != NULL && engine_list_goes_on(m.memory);
    return m;
}

struct backend_memory engine_alloc_pool(uint32_t type, size_t size, uint32_t tag) {
    uint64_t alias = ALIAS_TYPE(type, tag);
    return alloc_and_look(fast_entry(alias), alias, size, LAYOUT_POOL);
}

/* --- the rest ------------------------------------------------------------------------------------------------- */

static RXP_NOINLINE struct counted_block counted_somehow(const void *block) {
    struct engine_block b;

    if (engine_lookup(block, &b) != ENGINE_OK)
        return (struct counted_block){0, 0};
    return (struct counted_block){b.account, (int64_t)b.size};
}

/* Of a slab's own account. */
RXP_INLINE struct counted_block counted_as(const struct slab *slab) {
    return (struct counted_block){STATE_LOAD(&slab->account), (int64_t)slab->block_size};
}

RXP_INLINE struct counted_block counted(const void *block) {
    const struct slab *slab = fast_slab(block);
    return RXP_LIKELY(STATE_LOAD(&slab->kind) == SLAB_OWN) ? counted_as(slab)
                                                           : counted_somehow(block);
}

/* account_at, inline. */
RXP_INLINE struct account *account_of_block(struct counted_block block) {
    return (struct account *)(uintptr_t)&engine_first.accounts[block.account];
}

RXP_INLINE void hold(struct counted_block block, int blocks) {
    if (RXP_UNLIKELY(block.account == 0))
        return;
    struct account *a = account_of_block(block);
    atomic_fetch_add(&a->held_blocks, blocks);
    atomic_fetch_add(&a->held_bytes, blocks * block.bytes);
}

/* Mostly of one account: then nothing changes but its bytes, and mostly not even those. */
RXP_INLINE void hold_instead(struct counted_block in, struct counted_block out) {
    if (RXP_LIKELY(in.account == out.account && in.account != 0)) {
        if (in.bytes != out.bytes)
            atomic_fetch_add(&account_of_block(in)->held_bytes, in.bytes - out.bytes);
        return;
    }
    hold(in, 1);
    hold(out, -1);
}

struct counted_block engine_counted(const void *block) {
    return counted(block);
}

void engine_hold(struct counted_block block, int blocks) {
    hold(block, blocks);
}

void engine_hold_block(const void *block) {
    hold(counted(block), 1);
}

void engine_hold_instead(struct counted_block in, const void *block) {
    hold_instead(in, counted(block));
}

static RXP_NOINLINE bool free_held_somehow(struct counted_block in, void *block) {
    engine_hold_instead(in, block);
    return engine_free_direct(block);
}

bool engine_free_held(struct counted_block in, void *block) {
    const struct slab *slab = fast_slab(block);

    if (RXP_UNLIKELY(STATE_LOAD(&slab->kind) != SLAB_OWN))
        return free_held_somehow(in, block);
    hold_instead(in, counted_as(slab));
    return free_direct(fast_label(block), block);
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
