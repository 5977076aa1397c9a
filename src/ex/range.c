/*
 * Reservation, growth and lookup of ranges, and the metadata that lies in them. Runs of slabs: run.c.
 */
#include "ex/range.h"
#include "base/options.h"
#include "ex/run.h"

#define RANGE_WANTED ((size_t)1 << 40)
#define RANGE_LEAST ((size_t)4 << 20)
#define ACCOUNTS_SMALL 4096u
#define RANGE_SMALL ((size_t)256 << 20)
#define META_STEP ((size_t)1 << 20)
#define COMMIT_LEAST ((size_t)4 << 20)
#define COMMIT_MOST ((size_t)64 << 20)

struct engine_fast engine_first;

/*
 * One range. Invariants:
 *   root < descriptors_committed <= range_labels() <= labels_committed <= meta_used <= meta_committed <= meta_end <= slab_area
 *   1 <= slab_high <= committed <= slab_count, and descriptors and labels are committed for every slab below `committed`
 */
struct range {
    struct root *root;
    uintptr_t base;
    uintptr_t area; /* address of slab 0 */
    uintptr_t meta_used, meta_committed, meta_end;
    uintptr_t descriptors_committed; /* end addresses */
    uintptr_t labels_committed;
    uint64_t committed; /* slabs below this index may be written */
};

static struct range ranges[RANGES_MAX];
static _Atomic unsigned range_count;

struct root *range_root(unsigned number) {
    return number < atomic_load_explicit(&range_count, memory_order_acquire) ? ranges[number].root
                                                                             : NULL;
}

static struct slab *range_slabs(const struct range *r) {
    return (struct slab *)(r->base + ROOT_SIZE);
}

/* Behind the descriptors of every 64 KiB, a few more than will be slabs. */
static struct slab_label *range_labels(const struct range *r) {
    uint64_t places = r->root->range_size >> SLAB_SHIFT;
    return (struct slab_label *)rxp_round_up((uintptr_t)(range_slabs(r) + places), SLAB_SIZE);
}

static struct range *range_of(const void *address) {
    unsigned count = atomic_load_explicit(&range_count, memory_order_acquire);
    for (unsigned i = 0; i < count; i++)
        if ((uintptr_t)address - ranges[i].base < ranges[i].root->range_size)
            return &ranges[i];
    return NULL;
}

struct slab *range_slab(const void *address) {
    const struct range *r = range_of(address);
    if (r == NULL || (uintptr_t)address < r->area)
        return NULL;
    uint64_t index = ((uintptr_t)address - r->area) >> SLAB_SHIFT;
    return index < STATE_LOAD(&r->root->slab_high) ? range_slabs(r) + index : NULL;
}

struct slab *range_slab_by_id_anywhere(uint32_t id) {
    return range_slabs(&ranges[id >> SLAB_ID_BITS]) + (id & ((1u << SLAB_ID_BITS) - 1));
}

uint32_t range_slab_id_anywhere(const struct slab *slab) {
    const struct range *r = range_of(slab);
    return r->root->number << SLAB_ID_BITS | (uint32_t)(slab - range_slabs(r));
}

struct slab_label *range_label_anywhere(const struct slab *slab) {
    const struct range *r = range_of(slab);
    return range_labels(r) + (slab - range_slabs(r));
}

uintptr_t range_slab_base_anywhere(const struct slab *slab) {
    const struct range *r = range_of(slab);
    return r->area + ((uintptr_t)(slab - range_slabs(r)) << SLAB_SHIFT);
}

/* --- growth ------------------------------------------------------------------------------------ */

/* What lies from *committed to `end` becomes writable, in whole slabs' worth. */
static bool range_commit_up_to(uintptr_t *committed, const void *end) {
    uintptr_t wanted = rxp_round_up((uintptr_t)end, SLAB_SIZE);
    if (wanted <= *committed)
        return true;
    if (!plat_commit((void *)*committed, wanted - *committed))
        return false;
    *committed = wanted;
    return true;
}

static bool range_commit_descriptors(struct range *r, uint64_t slabs) {
    return range_commit_up_to(&r->descriptors_committed, range_slabs(r) + slabs) &&
           range_commit_up_to(&r->labels_committed, range_labels(r) + slabs);
}

/* Makes slabs below index `end` writable, in steps that double; the least that will do where a step is refused. */
static bool range_commit_slabs(struct range *r, uint64_t end) {
    size_t have = (size_t)r->committed << SLAB_SHIFT;
    size_t step = have < COMMIT_LEAST ? COMMIT_LEAST : have > COMMIT_MOST ? COMMIT_MOST : have;
    uint64_t wanted = r->committed + (step >> SLAB_SHIFT);

    if (end <= r->committed)
        return true;
    if (wanted < end)
        wanted = end;
    if (wanted > r->root->slab_count)
        wanted = r->root->slab_count;
    for (;;) {
        void *from = (void *)(r->area + (r->committed << SLAB_SHIFT));
        if (range_commit_descriptors(r, wanted) &&
            plat_commit(from, (size_t)(wanted - r->committed) << SLAB_SHIFT))
            break;
        if (wanted == end)
            return false;
        wanted = end;
    }
    r->committed = wanted;
    return true;
}

uint64_t range_grow(unsigned number, uint64_t count) {
    struct range *r = &ranges[number];
    uint64_t first = STATE_LOAD(&r->root->slab_high);

    if (count > r->root->slab_count - first || !range_commit_slabs(r, first + count))
        return 0;
    atomic_store_explicit(&r->root->slab_high, first + count, memory_order_release);
    if (number == 0)
        STATE_STORE(&engine_first.size, (size_t)(first + count) << SLAB_SHIFT);
    return first;
}

struct slab *range_slab_at(unsigned number, uint64_t index) {
    return range_slabs(&ranges[number]) + index;
}

/* --- making a range ----------------------------------------------------------------------------- */

/* A sixteenth for metadata. */
static void range_lay_out(struct range *r, size_t size) {
    struct root *root = r->root;
    uintptr_t labels = (uintptr_t)range_labels(r);
    uintptr_t meta = rxp_round_up((uintptr_t)(range_labels(r) + (size >> SLAB_SHIFT)), SLAB_SIZE);
    size_t meta_size = root->number == 0 ? rxp_round_up(size / 16, SLAB_SIZE) : SLAB_SIZE;

    r->labels_committed = labels;
    r->meta_used = r->meta_committed = meta;
    r->meta_end = r->area = meta + meta_size;
    root->slabs = (uintptr_t)range_slabs(r);
    root->slab_area = r->area;
    root->slab_count = (r->base + size - r->area) >> SLAB_SHIFT;
    r->committed = 1;
    STATE_STORE(&root->slab_high, 1);
}

static bool range_make(size_t size) {
    unsigned number = atomic_load_explicit(&range_count, memory_order_relaxed);
    struct range *r = &ranges[number];

    if (number == RANGES_MAX)
        return false;
    void *base = plat_reserve(size, SLAB_SIZE);
    if (base == NULL)
        return false;
    if (!plat_commit(base, SLAB_SIZE)) {
        plat_release(base, size);
        return false;
    }
    struct root *root = base;
    *r = (struct range){.root = root, .base = (uintptr_t)base};
    r->descriptors_committed = r->base + SLAB_SIZE;
    root->version = LAYOUT_VERSION;
    root->root_bytes = sizeof(struct root);
    root->slab_bytes = sizeof(struct slab);
    root->account_bytes = sizeof(struct account);
    root->heap_bytes = sizeof(struct heap_public);
    root->site_bytes = sizeof(struct site);
    root->self = (uintptr_t)base;
    root->number = number;
    root->range_size = size;
    range_lay_out(r, size);
    /* The magic last, and only then the chain: a reader that finds either finds the rest. */
    for (unsigned i = 0; i < sizeof(root->magic); i++)
        root->magic[i] = LAYOUT_MAGIC[i];
    atomic_store_explicit(&range_count, number + 1, memory_order_release);
    if (number > 0)
        atomic_store_explicit(&ranges[number - 1].root->next_range, (uintptr_t)base,
                              memory_order_release);
    return true;
}

/* Half of what the process may still map, so that its own mappings find room. */
static size_t range_affordable(size_t wanted) {
    size_t half = plat_address_space_left() / 2 & ~(SLAB_SIZE - 1);
    return wanted < half ? wanted : half;
}

bool range_add(uint64_t slabs) {
    size_t least = (size_t)(slabs + 4) << SLAB_SHIFT;
    least += least / 64;
    for (size_t size = range_affordable(RANGE_WANTED / 16); size >= least; size /= 2)
        if (range_make(size & ~(SLAB_SIZE - 1)))
            return true;
    return range_make(rxp_round_up(least, SLAB_SIZE));
}

static bool range_make_tables(void) {
    struct root *root = ranges[0].root;
    uint32_t capacity = root->range_size < RANGE_SMALL ? ACCOUNTS_SMALL : ACCOUNTS_MAX;

    root->account_capacity = capacity;
    root->by = (uint32_t)options_get()->by;
    root->accounts = (uintptr_t)meta_alloc(capacity * sizeof(struct account));
    root->sites = (uintptr_t)meta_alloc(capacity * sizeof(struct site));
    root->shared_counters = (uintptr_t)meta_alloc(capacity * sizeof(struct counters));
    STATE_STORE(&root->site_high, 1);
    return root->accounts != 0 && root->sites != 0 && root->shared_counters != 0;
}

bool range_init(void) {
    for (size_t size = range_affordable(RANGE_WANTED); size >= RANGE_LEAST; size /= 2) {
        if (!range_make(size & ~(SLAB_SIZE - 1)))
            continue;
        if (!range_make_tables())
            return false;
        engine_first.slab_area = ranges[0].area;
        engine_first.slabs = range_slabs(&ranges[0]);
        engine_first.labels = range_labels(&ranges[0]);
        engine_first.accounts = (const struct account *)ranges[0].root->accounts;
        engine_first.tags = meta_alloc(ranges[0].root->account_capacity * sizeof(uint32_t));
        return engine_first.tags != NULL;
    }
    return false;
}

/* --- metadata ------------------------------------------------------------------------------------ */

static void *meta_alloc_in(struct range *r, size_t size) {
    uintptr_t start = r->meta_used, end = start + size;

    if (end > r->meta_end)
        return NULL;
    if (end > r->meta_committed) {
        uintptr_t wanted = rxp_round_up(end, META_STEP);
        if (wanted > r->meta_end)
            wanted = r->meta_end;
        if (!plat_commit((void *)r->meta_committed, wanted - r->meta_committed))
            return NULL;
        r->meta_committed = wanted;
    }
    r->meta_used = end;
    return (void *)start;
}

void *meta_alloc(size_t size) {
    void *memory = NULL;

    size = rxp_round_up(size, 64);
    engine_lock(LOCK_META);
    unsigned count = atomic_load_explicit(&range_count, memory_order_relaxed);
    for (unsigned i = 0; i < count && memory == NULL; i++)
        memory = meta_alloc_in(&ranges[i], size);
    engine_unlock(LOCK_META);
    return memory;
}
