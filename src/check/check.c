/* The checked build's operations: see check.h. */
#include "check/check.h"

#include "base/backend.h"
#include "base/options.h"
#include "check/quarantine.h"
#include "check/sites.h"

#define RXPOOL_CHECKED 1
#include <ntrxdef.h>

#define TYPE_PAGED 1u /* of POOL_TYPE */
#define TYPE_CACHE_ALIGNED 4u
#define SIGNED_TAIL 16u /* RX_POOL_SIGNED_OVERHEAD less the header */

#define BAD_ADDRESS 0x46u  /* parameter 1 of 0xC2: invalid address */
#define BAD_UNUSED 0x41u   /* ... of the pool, but not allocated */
#define BAD_INTERIOR 0x99u /* ... inside a block */

#define PROBE_STEPS 256u /* 16-byte steps, then pages, searched for the block around an address */

static struct {
    const struct pool_backend *backend;
    struct plat_lock start_lock;
    _Atomic bool ready;
    _Atomic bool
        pool_misaligns;    /* the pool below does not keep the rules of alignment: ask for more */
    _Atomic bool degraded; /* said that records ran out */
    _Atomic uint32_t odd_tag; /* the last that was warned of */
    _Atomic uint64_t foreign_frees;
} check;

/* --- start and exit -------------------------------------------------------------------------- */

/*
 * The Rx block in whose memory `address` lies, by the registry alone: with a backend among the places
 * where the block's pointer can be, else backwards. A ghost's memory may be somebody else's by now.
 */
static bool find_around(uintptr_t address, struct record_info *out) {
    uintptr_t start;
    uint32_t tag;
    if (check.backend != NULL) {
        enum backend_kind kind = check.backend->lookup((void *)address, &start, &tag);
        if (kind != BACKEND_BLOCK && kind != BACKEND_INTERIOR)
            return false;
        for (unsigned i = 1; i <= PROBE_STEPS; i++) {
            if (registry_find(start + i * BLOCK_ALIGNMENT, out) && out->state != RECORD_GHOST &&
                out->block - out->back == start)
                return true;
        }
        return false;
    }
    for (unsigned i = 0; i < 2 * PROBE_STEPS; i++) {
        uintptr_t block = i < PROBE_STEPS
                              ? address / BLOCK_ALIGNMENT * BLOCK_ALIGNMENT - i * BLOCK_ALIGNMENT
                              : (address / PAGE_SIZE - (i - PROBE_STEPS)) * PAGE_SIZE;
        if (registry_find(block, out) && out->state != RECORD_GHOST)
            return address < block + out->size + out->tail;
    }
    return false;
}

static void describe(struct text *out, const void *address) {
    struct record_info info;
    if (find_around((uintptr_t)address, &info))
        report_describe(out, &info);
}

static void at_exit(void);

/* The slow half: once. */
static bool start(void) {
    plat_lock_acquire(&check.start_lock);
    bool ready = atomic_load_explicit(&check.ready, memory_order_relaxed);
    if (!ready && registry_ready()) {
        check.backend = pool_backend();
        if (check.backend != NULL)
            check.backend->set_describe(describe);
        plat_at_exit(at_exit);
        ready = true;
        atomic_store_explicit(&check.ready, true, memory_order_release);
    }
    plat_lock_release(&check.start_lock);
    return ready;
}

RXP_INLINE bool check_ready(void) {
    return RXP_LIKELY(atomic_load_explicit(&check.ready, memory_order_acquire)) || start();
}

/* Says once that blocks go without a record, and so without checks. */
static void degrade(void) {
    if (!atomic_exchange(&check.degraded, true))
        report_note("no memory for more records: further blocks are not checked");
}

uint64_t check_foreign_frees(void) {
    return atomic_load_explicit(&check.foreign_frees, memory_order_relaxed);
}

/* --- giving back ----------------------------------------------------------------------------- */

static void *start_of(const struct record_info *info) {
    return (void *)((uintptr_t)info->block - info->back);
}

/* Checks a block that leaves the quarantine. Damaged and told to go on: it is never handed out again. */
static bool check_evicted(const struct record_info *info, const struct caller *c) {
    struct damage d;
    block_check_freed(info, options_get()->fill, &d);
    if (RXP_LIKELY(d.kind == DAMAGE_NONE))
        return true;
    report_damage(c, info, &d);
    quarantine_set_aside(info->block);
    return false;
}

/* Checks it and gives it back. */
static void evict(const struct record_info *info, bool held, const struct caller *c) {
    if (!check_evicted(info, c))
        return;
    if (held && check.backend != NULL)
        check.backend->hold(start_of(info), -1);
    ExFreePool(start_of(info));
}

static bool same_account(const struct record_info *a, const struct record_info *b) {
    return a->tag == b->tag && a->type == b->type && a->back == b->back &&
           a->size + a->tail == b->size + b->tail;
}

void check_drain(bool paged, const struct caller *c) {
    struct record_info info;
    if (!check_ready())
        return;
    for (unsigned i = 0; i < REGISTRY_SHARDS; i++) {
        while (quarantine_pop(i, false, &info))
            evict(&info, true, c);
        while (paged && quarantine_pop(i, true, &info))
            evict(&info, true, c);
    }
}

/* Checks what the quarantine holds. Giving it back is no use any more, and would write to every page. */
static void at_exit(void) {
    const struct caller c = {"exit", NULL, 0};
    struct record_info info;
    for (unsigned i = 0; i < 2 * REGISTRY_SHARDS; i++) {
        while (quarantine_pop(i / 2, i % 2 != 0, &info))
            check_evicted(&info, &c);
    }
    if (options_get()->leaks != OPTIONS_LEAKS_OFF)
        check_leaks(&c);
}

/* --- allocation ------------------------------------------------------------------------------ */

/* Asks the pool; when it has nothing left, the quarantine gives back what it holds first. */
static void *pool_allocate(uint32_t type, size_t size, uint32_t tag, const struct caller *c) {
    uint32_t first = type & ~(uint32_t)POOL_RAISE_IF_ALLOCATION_FAILURE;
    void *memory = ExAllocatePoolWithTagPriority((POOL_TYPE)first, size, tag, LowPoolPriority);
    if (RXP_LIKELY(memory != NULL))
        return memory;
    check_drain(KeGetCurrentIrql() <= APC_LEVEL, c);
    return ExAllocatePoolWithTagPriority((POOL_TYPE)type, size, tag, LowPoolPriority);
}

/* Memory for a block, and where in it the block lies; false when there is none. */
static bool obtain(uint32_t type, size_t size, uint32_t tag, const struct caller *c,
                   struct record_info *out) {
    size_t alignment = type & TYPE_CACHE_ALIGNED ? BLOCK_CACHE_LINE : BLOCK_ALIGNMENT;
    bool exact = !atomic_load_explicit(&check.pool_misaligns, memory_order_relaxed);
    for (;; exact = false) {
        size_t request = block_request(size, alignment, exact);
        void *memory = request > size ? pool_allocate(type, request, tag, c) : NULL;
        if (memory == NULL)
            return false;
        uintptr_t start = (uintptr_t)memory;
        uintptr_t block = block_place(start, request, size, alignment);
        if (block != 0) {
            out->block = block;
            out->back = (uint16_t)(block - start);
            out->tail = (uint16_t)(start + request - block - size);
            return true;
        }
        ExFreePool(memory);
        if (!exact)
            return false;
        atomic_store_explicit(&check.pool_misaligns, true, memory_order_relaxed);
    }
}

/* Whether a byte of the tag is no character of 0x20 to 0x7E; unused bytes at its end are zero. */
static bool odd_tag(uint32_t tag) {
    for (tag &= ~(uint32_t)PROTECTED_POOL; tag != 0; tag >>= 8)
        if ((tag & 0xFF) < 0x20 || (tag & 0xFF) > 0x7E)
            return true;
    return false;
}

/* Each of them once, as long as they do not alternate: a driver has few tags and uses them often. */
static void warn_of_tag(uint32_t type, uint64_t size, uint32_t tag, const struct caller *c) {
    if (RXP_UNLIKELY(odd_tag(tag)) && atomic_exchange(&check.odd_tag, tag) != tag)
        report_odd_tag(c, size, type, tag);
}

/* False, with a report, where the rules forbid the request and the process goes on. */
static bool request_allowed(uint32_t type, uint64_t size, uint32_t tag, const struct caller *c) {
    unsigned irql = KeGetCurrentIrql();
    if (RXP_UNLIKELY(irql > (type & TYPE_PAGED ? APC_LEVEL : DISPATCH_LEVEL))) {
        report_allocate_irql(c, type, size, irql);
        return false;
    }
    if (RXP_UNLIKELY(size == 0))
        report_zero_size(c, type, tag);
    warn_of_tag(type, size, tag, c);
    return true;
}

/* What the record of a block about to be handed out says of the call. */
static struct record_info record_of_call(uint32_t type, uint32_t size, uint32_t tag,
                                         const struct caller *c) {
    return (struct record_info){
        .size = size,
        .tag = tag,
        .type = (uint16_t)type,
        .alloc_site = sites_intern(c->file, c->line),
        .thread = plat_thread_id(),
        .time = (uint32_t)plat_clock_ms(),
    };
}

void *check_allocate(uint32_t type, uint32_t size, uint32_t tag, const struct caller *c) {
    if (size == UINT32_MAX) {
        report_size_refused(c, type, tag);
        return NULL;
    }
    if (!request_allowed(type, size, tag, c))
        return NULL;
    if (!check_ready()) {
        degrade();
        return pool_allocate(type, size, tag, c);
    }
    struct record_info info = record_of_call(type, size == 0 ? 1 : size, tag, c);
    if (!obtain(type, info.size, tag, c, &info))
        return NULL;
    block_write(&info, RX_POOL_STATE_ALLOCATED);
    if (options_get()->fill && (type & POOL_ZERO_ALLOCATION) == 0)
        block_fill_fresh(&info);
    if (RXP_LIKELY(registry_insert(&info)))
        return (void *)(uintptr_t)info.block;
    /* Without a record a free of the block would not know it: hand out one that the pool knows. */
    degrade();
    ExFreePool(start_of(&info));
    return pool_allocate(type, size, tag, c);
}

void *check_allocate_for_others(uint32_t type, size_t size, uint32_t tag, const struct caller *c) {
    if (!request_allowed(type, size, tag, c))
        return NULL;
    bool ready = check_ready();
    void *memory = pool_allocate(type, size, tag, c);
    if (memory == NULL || !ready || size > UINT32_MAX)
        return memory;
    struct record_info info = record_of_call(type, (uint32_t)size, tag, c);
    info.block = (uintptr_t)memory;
    info.kind = RECORD_OTHERS;
    if (!registry_insert(&info))
        degrade();
    return memory;
}

/* --- free ------------------------------------------------------------------------------------ */

/* A block that no record knows: the pool's own, or no block at all. */
static RXP_NOINLINE void free_unknown(void *block, uint32_t tag, const struct caller *c) {
    struct record_info around;
    bool known = check_ready() && find_around((uintptr_t)block, &around);
    const struct pool_backend *backend = pool_backend();
    uintptr_t start;
    uint32_t its_tag;
    enum backend_kind kind =
        backend != NULL ? backend->lookup(block, &start, &its_tag) : BACKEND_BLOCK;
    uint64_t address = (uintptr_t)block;

    if (block == NULL) {
        report_bad_address(c, 0, BAD_ADDRESS, "NULL was freed", NULL);
    } else if (known) {
        report_bad_address(c, address, BAD_INTERIOR, "an address inside a block was freed",
                           &around);
    } else if (kind == BACKEND_INTERIOR) {
        report_bad_address(c, address, BAD_INTERIOR,
                           "an address inside a block of the pool was freed", NULL);
    } else if (kind == BACKEND_UNUSED) {
        report_bad_address(c, address, BAD_UNUSED,
                           "an address of the pool at which nothing is allocated was freed", NULL);
    } else if (kind == BACKEND_FOREIGN) {
        report_bad_address(c, address, BAD_ADDRESS, "an address that is in no pool was freed",
                           NULL);
    } else {
        atomic_fetch_add_explicit(&check.foreign_frees, 1, memory_order_relaxed);
        if (options_get()->strict & OPTIONS_STRICT_FOREIGN) {
            report_bad_address(c, address, BAD_ADDRESS,
                               "a block that RxAllocatePoolWithTag did not allocate was freed",
                               NULL);
        } else if (tag != 0) {
            ExFreePoolWithTag(block, tag);
        } else {
            ExFreePool(block);
        }
    }
}

/* The checks on a block's last moment, and its way into the quarantine. */
static void retire(struct take *t, bool held, const struct caller *c) {
    bool fill = options_get()->fill;
    struct damage d;
    block_check_live(&t->info, RX_POOL_STATE_ALLOCATED, &d);
    if (d.kind != DAMAGE_NONE) {
        report_damage(c, &t->info, &d);
        quarantine_set_aside(t->block);
    } else {
        block_retire(&t->info, fill && held);
        if (held)
            quarantine_filled(t->record);
        else
            ExFreePool(start_of(&t->info));
    }
}

/* Publishes that one block is held now; one of the same account that leaves for it cancels that out. */
static void make_way(struct take *t, const struct caller *c) {
    const struct pool_backend *backend = check.backend;
    bool cancelled = t->victims != 0 && same_account(&t->victim[0], &t->info);
    if (!cancelled && backend != NULL)
        backend->hold(start_of(&t->info), 1);
    for (unsigned i = 0; i < t->victims; i++)
        evict(&t->victim[i], i != 0 || !cancelled, c);
}

void check_free(void *block, uint32_t tag, const struct caller *c) {
    struct take t; /* large: only what goes in is set */
    t.block = (uintptr_t)block;
    t.tag = tag;
    t.site = sites_intern(c->file, c->line);
    t.irql = KeGetCurrentIrql();
    t.irql_most = options_get()->strict & OPTIONS_STRICT_IRQL ? APC_LEVEL : DISPATCH_LEVEL;
    switch (check_ready() ? quarantine_take(&t) : TAKE_UNKNOWN) {
    case TAKE_HELD:
        retire(&t, true, c);
        make_way(&t, c);
        break;
    case TAKE_DIRECT:
        retire(&t, false, c);
        break;
    case TAKE_UNKNOWN:
        free_unknown(block, tag, c);
        break;
    case TAKE_NOT_LIVE:
        report_repeated_free(c, &t.info);
        break;
    case TAKE_WRONG_TAG:
        report_wrong_tag(c, &t.info, tag);
        break;
    case TAKE_WRONG_IRQL:
        report_free_irql(c, &t.info, t.irql);
        break;
    case TAKE_OTHERS:
        registry_forget(t.block, t.site);
        ExFreePool(block);
        break;
    case TAKE_SIGNED:
        report_wrong_routine(c, &t.info, "a signed block was freed; RxUnsignMemoryBlock ends it");
        break;
    }
}

/* --- checks on demand ------------------------------------------------------------------------ */

static uint32_t header_state(const struct record_info *info) {
    return info->kind == RECORD_SIGNED ? RX_POOL_STATE_SIGNED : RX_POOL_STATE_ALLOCATED;
}

/* Whether the block may be touched at this IRQL. */
static bool touchable(const struct record_info *info, unsigned irql) {
    return irql <= ((info->type & TYPE_PAGED) != 0 ? APC_LEVEL : DISPATCH_LEVEL);
}

bool check_verify(const void *block, const struct caller *c) {
    struct record_info info;
    struct damage d = {.kind = DAMAGE_NONE};
    if (!check_ready() || !registry_pin((uintptr_t)block, &info))
        return false;
    if (info.kind != RECORD_OTHERS && touchable(&info, KeGetCurrentIrql()))
        block_check_live(&info, header_state(&info), &d);
    if (d.kind != DAMAGE_NONE)
        warn_damage(c, &info, &d); /* still pinned: it shows the bytes */
    registry_unpin(info.block, RECORD_LIVE);
    return info.kind != RECORD_OTHERS && d.kind == DAMAGE_NONE;
}

struct sweep {
    const struct caller *caller;
    size_t damaged;
};

static void sweep_one(void *argument, const struct record_info *info) {
    struct sweep *sweep = argument;
    struct record_info now;
    if (info->kind == RECORD_OTHERS || !registry_find(info->block, &now) ||
        now.state != RECORD_LIVE || now.sequence != info->sequence)
        return;
    if (!check_verify((void *)(uintptr_t)info->block, sweep->caller))
        sweep->damaged++;
}

size_t check_verify_all(const struct caller *c) {
    struct sweep sweep = {c, 0};
    registry_each_live(sweep_one, &sweep);
    return sweep.damaged;
}

/* --- memory got elsewhere -------------------------------------------------------------------- */

void *check_sign(void *memory, size_t bytes, uint32_t type, uint32_t tag, const struct caller *c) {
    if (memory == NULL || (uintptr_t)memory % BLOCK_ALIGNMENT != 0 ||
        bytes <= RX_POOL_SIGNED_OVERHEAD || bytes > UINT32_MAX || !check_ready())
        return NULL;
    struct record_info info =
        record_of_call(type, (uint32_t)(bytes - RX_POOL_SIGNED_OVERHEAD), tag, c);
    info.block = (uintptr_t)memory + BLOCK_HEADER;
    info.back = (uint16_t)BLOCK_HEADER;
    info.tail = SIGNED_TAIL;
    info.kind = RECORD_SIGNED;
    block_write(&info, RX_POOL_STATE_SIGNED);
    if (!registry_insert(&info)) {
        degrade();
        return NULL;
    }
    return (void *)(uintptr_t)info.block;
}

void *check_unsign(void *block, const struct caller *c) {
    struct record_info info;
    struct damage d;
    bool live = check_ready() && registry_pin((uintptr_t)block, &info);
    if (!live || info.kind != RECORD_SIGNED) {
        if (live)
            registry_unpin(info.block, RECORD_LIVE);
        report_bad_address(c, (uintptr_t)block, BAD_ADDRESS,
                           "RxUnsignMemoryBlock was given what is no signed block",
                           live ? &info : NULL);
        return NULL;
    }
    block_check_live(&info, RX_POOL_STATE_SIGNED, &d);
    registry_unpin(info.block, RECORD_LIVE);
    registry_forget(info.block, sites_intern(c->file, c->line));
    if (d.kind != DAMAGE_NONE)
        report_damage(c, &info, &d);
    block_retire(&info, false);
    return start_of(&info);
}
