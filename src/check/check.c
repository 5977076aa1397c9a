/* The checked build's operations: see check.h. */
#include "check/check.h"

#include <stdatomic.h>
#include <string.h>

#include "base/backend.h"
#include "base/options.h"
#include "check/block_words.h"
#include "check/fault.h"
#include "check/inside.h"
#include "check/quick.h"
#include "check/rules.h"
#include "check/sites.h"
#include "check/stacks.h"
#include "check/sweep.h"
#include "plat/plat.h"

#define TYPE_CACHE_ALIGNED 4u /* of POOL_TYPE */
#define SIGNED_TAIL 16u       /* RX_POOL_SIGNED_OVERHEAD less the header */

#define PROBE_STEPS 256u /* 16-byte steps, then pages, searched for the block around an address */

static struct {
    const struct pool_backend *backend;
    struct plat_lock start_lock;
    _Atomic bool ready;
    _Atomic bool
        pool_misaligns;    /* the pool below does not keep the rules of alignment: ask for more */
    _Atomic bool degraded; /* said that records ran out */
    bool fill, fails;      /* fill=, fail= */
    uint8_t irql_most;     /* at which a nonpaged block may be freed */
    uint64_t held_most;    /* quarantine_most() */
    bool guards;           /* some blocks are to lie between guard pages */
    bool plain;            /* what is below has guards, which ours would defeat: records only */
    _Atomic uint64_t foreign_frees;
} check;

/* --- start and exit -------------------------------------------------------------------------- */

/* With a backend among the places where the block's pointer can be, else backwards. */
bool check_find_around(uintptr_t address, struct record_info *out) {
    uintptr_t start;
    uint32_t tag;
    uint64_t guarded = check.guards ? check.backend->guarded_around((void *)address) : 0;
    if (guarded != 0)
        return registry_find(guarded, out);
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
    report_pattern(out, (uintptr_t)address);
    if (check_find_around((uintptr_t)address, &info))
        report_describe(out, &info);
}

static bool tell(struct text *out, uint64_t block, bool freed) {
    struct record_info info;
    if (!registry_find(block, &info))
        return false;
    report_tell(out, &info, freed);
    return info.alloc_site != 0;
}

static bool lives(uint64_t block) {
    struct record_info info;
    return registry_find(block, &info) && (info.state == RECORD_LIVE || info.state == RECORD_BUSY);
}

bool check_guards(void) {
    return check.guards;
}

static void at_exit(void);

/* A start that is under way comes to its end before a fork: no child could end it. */
static void fork_prepare(void) {
    plat_lock_acquire(&check.start_lock);
}

static void fork_done(void) {
    plat_lock_release(&check.start_lock);
}

/*
 * A fork that has begun calls no handlers that are registered later. The last ones are called first: by the
 * lock order.
 */
RXP_AT_LOAD void check_watch_forks(void) {
    sites_watch_forks();
    registry_watch_forks();
    plat_at_fork(fork_prepare, fork_done, fork_done);
}

/* The slow half: once. */
static bool start(void) {
    plat_lock_acquire(&check.start_lock);
    bool ready = atomic_load_explicit(&check.ready, memory_order_relaxed);
    if (!ready && registry_ready()) {
        const struct options *o = options_get();
        check.backend = pool_backend();
        if (check.backend != NULL) {
            check.backend->set_describe(describe);
            check.backend->set_tell(tell, lives);
            check.guards = options_special(o);
            if (o->fill)
                check.backend->writes_all();
        }
        check.fill = o->fill;
        check.fails = o->fail != OPTIONS_FAIL_NONE;
        check.irql_most = o->strict & OPTIONS_STRICT_IRQL ? APC_LEVEL : DISPATCH_LEVEL;
        check.held_most = quarantine_most();
        sweep_start();
        check.plain = plat_pool_is_guarded();
        plat_at_exit(at_exit);
        stacks_start(o->stacks);
        quick_start(check.fill);
        ready = true;
        atomic_store_explicit(&check.ready, true, memory_order_release);
    }
    plat_lock_release(&check.start_lock);
    return ready;
}

RXP_INLINE bool check_ready(void) {
    return RXP_LIKELY(atomic_load_explicit(&check.ready, memory_order_acquire)) || start();
}

bool check_start(void) {
    return check_ready();
}

void check_degrade(void) {
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

/* The general case, and the words for what is wrong. */
static RXP_NOINLINE bool find_late_write(const struct record_info *info, const struct caller *c) {
    struct damage d;
    block_check_freed(info, check.fill, &d);
    if (RXP_LIKELY(d.kind == DAMAGE_NONE))
        return true;
    report_damage(c, info, &d);
    quarantine_set_aside(info->block);
    return false;
}

/* Its memory. That of a heap's block is not under the rules of the pool's routines. */
RXP_INLINE void give_back(const struct record_info *info) {
    const struct pool_backend *backend = check.backend;
    if (info->family == 0 || backend == NULL || !backend->release(start_of(info)))
        ExFreePool(start_of(info));
}

/* Checks a block that leaves the quarantine. Damaged and told to go on: it is never handed out again. */
RXP_INLINE bool check_evicted(const struct record_info *info, const struct caller *c) {
    return (RXP_LIKELY(info->plain) && RXP_LIKELY(block_freed_is_whole(info, check.fill))) ||
           find_late_write(info, c);
}

/* Checks it and gives it back. */
RXP_INLINE void evict(const struct record_info *info, const struct caller *c) {
    if (!check_evicted(info, c))
        return;
    if (check.backend != NULL)
        check.backend->hold(check.backend->counted(start_of(info)), -1);
    give_back(info);
}

/* Any, or those that are to leave because other threads need the room. */
static RXP_NOINLINE void drain(bool paged, bool any, const struct caller *c) {
    struct record_info info[QUARANTINE_BATCH];
    unsigned count;
    if (!check_ready())
        return;
    do {
        count = quarantine_pop(info, paged, any);
        for (unsigned i = 0; i < count; i++)
            evict(&info[i], c);
    } while (count != 0);
}

void check_drain(bool paged, const struct caller *c) {
    drain(paged, true, c);
}

/*
 * Checks what the quarantine holds, and what was never freed. Giving it back is no use any more, and
 * would write to every page.
 */
static void at_exit(void) {
    const struct caller c = {.routine = "exit"};
    struct record_info info[QUARANTINE_BATCH];
    unsigned count;
    size_t leaks = options_get()->leaks != OPTIONS_LEAKS_OFF ? check_leaks_at_exit(&c) : 0;
    do {
        count = quarantine_pop(info, true, true);
        for (unsigned i = 0; i < count; i++)
            check_evicted(&info[i], &c);
    } while (count != 0);
    sweep_at_exit(false, &c);
    if (leaks != 0 && options_get()->leaks == OPTIONS_LEAKS_FATAL)
        check_stop_for_leaks(leaks, &c);
}

/* --- allocation ------------------------------------------------------------------------------ */

RXP_NOINLINE void check_zero(const struct record_info *info) {
    if (info->kind == RECORD_POOL && check_zeroes((size_t)(info->back + info->size + info->tail)))
        memset((void *)(uintptr_t)info->block, 0, (size_t)info->size);
}

/* `info` is the block that the pool has handed out again. */
static RXP_COLD void list_is_wrong(const struct record_info *info, const struct caller *c) {
    report_free_list(c, info->block - info->back, info,
                     "the pool handed out a block that is in use: its list of free blocks was "
                     "overwritten");
}

/* The block that the pool's memory at this address was, or is. */
static bool find_in(uint64_t memory, struct record_info *out) {
    return (registry_find(memory + BLOCK_HEADER, out) && out->block - out->back == memory) ||
           (registry_find(memory + BLOCK_SHORT_HEADER, out) && out->block - out->back == memory);
}

/* The memory's link leads nowhere, if it is not that of a block in use and no link at all. */
RXP_COLD void check_list_is_broken(const void *where, const struct caller *c) {
    uint64_t memory = (uintptr_t)where;
    struct record_info info;
    if (check_find_around((uintptr_t)memory, &info)) {
        list_is_wrong(&info, c);
        return;
    }
    bool known = find_in(memory, &info);
    report_free_list(c, memory, known ? &info : NULL,
                     "a freed block was written to after it had left the quarantine: the pool's "
                     "list of free blocks is broken");
    if (known)
        quarantine_set_aside(info.block);
}

RXP_INLINE bool list_goes_on(const void *memory) {
    const struct pool_backend *backend = check.backend;
    return backend == NULL || backend->list_goes_on(memory);
}

bool check_list(const void *memory, const struct caller *c) {
    if (RXP_LIKELY(memory == NULL || list_goes_on(memory)))
        return true;
    check_list_is_broken(memory, c);
    return false;
}

RXP_COLD bool check_in_use(const struct record_info *info, const struct caller *c) {
    struct record_info other;
    if (!registry_is_taken(info->block) || !registry_find(info->block, &other))
        return false;
    list_is_wrong(&other, c);
    return true;
}

/* What is left out of a request of the pool: what its list says is free may be in use. */
RXP_INLINE uint32_t own_zeroes(size_t size) {
    return check_zeroes(size) ? POOL_ZERO_ALLOCATION : 0;
}

/* The first answer was none, or the last block of a broken list. */
static RXP_NOINLINE void *pool_allocate_again(uint32_t type, size_t size, uint32_t tag,
                                              void *memory, const struct caller *c) {
    uint32_t first = type & ~(uint32_t)POOL_RAISE_IF_ALLOCATION_FAILURE;
    if (memory != NULL)
        check_list_is_broken(memory, c);
    while (memory != NULL) {
        memory = ExAllocatePoolWithTagPriority((POOL_TYPE)first, size, tag, LowPoolPriority);
        if (memory != NULL && check_list(memory, c))
            return memory;
    }
    check_drain(KeGetCurrentIrql() <= APC_LEVEL, c);
    do {
        memory = ExAllocatePoolWithTagPriority((POOL_TYPE)type, size, tag, LowPoolPriority);
    } while (!check_list(memory, c));
    return memory;
}

/*
 * Asks the pool; when it has nothing left, the quarantine gives back what it holds first. To zero what
 * check_zeroes is left to the caller.
 */
RXP_INLINE void *pool_allocate(uint32_t type, size_t size, uint32_t tag, const struct caller *c) {
    type &= ~own_zeroes(size);
    const struct pool_backend *backend = check.backend;
    struct backend_memory m = {NULL, false};
    if (backend != NULL)
        m = backend->allocate(type, size, tag);
    if (RXP_UNLIKELY(m.memory == NULL)) {
        uint32_t first = type & ~(uint32_t)POOL_RAISE_IF_ALLOCATION_FAILURE;
        m.memory = ExAllocatePoolWithTagPriority((POOL_TYPE)first, size, tag, LowPoolPriority);
        m.whole = m.memory != NULL && list_goes_on(m.memory);
    }
    if (RXP_LIKELY(m.whole))
        return m.memory;
    return pool_allocate_again(type, size, tag, m.memory, c);
}

/* For what goes to the caller as the pool has it. */
static RXP_NOINLINE void *pool_allocate_whole(uint32_t type, size_t size, uint32_t tag,
                                              const struct caller *c) {
    void *memory = pool_allocate(type, size, tag, c);
    if (memory != NULL && (type & own_zeroes(size)) != 0)
        memset(memory, 0, size);
    return memory;
}

/* The general case: cache-aligned, a page or more, or a pool below that does not keep the rules. */
static RXP_NOINLINE bool obtain_general(struct record_info *out, const struct caller *c) {
    size_t size = (size_t)out->size;
    size_t alignment = out->type & TYPE_CACHE_ALIGNED ? BLOCK_CACHE_LINE : BLOCK_ALIGNMENT;
    bool exact = !atomic_load_explicit(&check.pool_misaligns, memory_order_relaxed);
    for (;; exact = false) {
        size_t request = block_request(size, alignment, exact);
        void *memory = request > size ? pool_allocate(out->type, request, out->tag, c) : NULL;
        if (memory == NULL)
            return false;
        uintptr_t start = (uintptr_t)memory;
        uintptr_t block = block_place(start, request, size, alignment);
        if (block != 0) {
            out->block = block;
            out->back = (uint32_t)(block - start);
            out->tail = (uint16_t)(start + request - block - size);
            return true;
        }
        ExFreePool(memory);
        if (!exact)
            return false;
        atomic_store_explicit(&check.pool_misaligns, true, memory_order_relaxed);
    }
}

/* Between guard pages, where the options ask for that and they can be had. */
static RXP_NOINLINE bool obtain_guarded(struct record_info *out, const struct caller *c) {
    struct guard_request q = {.type = out->type,
                              .tag = out->tag & ~(uint32_t)PROTECTED_POOL,
                              .size = (size_t)out->size,
                              .alignment = out->type & TYPE_CACHE_ALIGNED ? BLOCK_CACHE_LINE
                                                                          : BLOCK_ALIGNMENT,
                              .lead = BLOCK_HEADER,
                              .caller = c->pc};
    struct guard_place place;
    if (!check.backend->guarded(&q, &place))
        return false;
    check_set_place(out, &place);
    return true;
}

void check_set_place(struct record_info *out, const struct guard_place *place) {
    out->kind = RECORD_GUARDED;
    out->block = place->block;
    out->back = (uint32_t)(place->block - place->start);
    out->tail = (uint16_t)place->tail;
}

/* Memory for a block, and where in it the block lies; false when there is none. */
RXP_INLINE bool obtain(struct record_info *out, const struct caller *c) {
    if (RXP_UNLIKELY(check.guards) && obtain_guarded(out, c))
        return true;
    size_t request = rxp_round_up(BLOCK_HEADER + (size_t)out->size + 1, BLOCK_ALIGNMENT);
    if (RXP_UNLIKELY((out->type & TYPE_CACHE_ALIGNED) || request > PAGE_SIZE))
        return obtain_general(out, c);
    uintptr_t start = (uintptr_t)pool_allocate(out->type, request, out->tag, c);
    if (RXP_UNLIKELY(start == 0))
        return false;
    /* What lies within one page does so with its header. */
    if (RXP_UNLIKELY(start % BLOCK_ALIGNMENT != 0 || start % PAGE_SIZE + request > PAGE_SIZE)) {
        ExFreePool((void *)start);
        atomic_store_explicit(&check.pool_misaligns, true, memory_order_relaxed);
        return obtain_general(out, c);
    }
    out->block = start + BLOCK_HEADER;
    out->back = (uint32_t)BLOCK_HEADER;
    out->tail = (uint16_t)(request - BLOCK_HEADER - out->size);
    out->plain = out->size <= BLOCK_UNITS_MOST;
    return true;
}

/* What the record of a block about to be handed out says of the call. */
static struct record_info record_of_call(uint32_t type, uint32_t size, uint32_t tag,
                                         const struct caller *c) {
    return (struct record_info){
        .size = size,
        .tag = tag,
        .type = (uint16_t)type,
        .alloc_site = sites_of(c),
        .time = (uint32_t)plat_clock_ms(),
    };
}

RXP_INLINE void write_fresh(const struct record_info *info) {
    bool zero = (info->type & POOL_ZERO_ALLOCATION) != 0, fill = check.fill && !zero;
    if (RXP_UNLIKELY(zero))
        check_zero(info);
    if (RXP_LIKELY(info->plain)) {
        block_put_live(info, fill);
    } else {
        block_write(info, RX_POOL_STATE_ALLOCATED);
        if (fill)
            block_fill_fresh(info);
    }
}

/* Without a record a free of the block would not know it: hand out one that the pool knows. */
static RXP_COLD void *allocate_unrecorded(const struct record_info *info, const struct caller *c) {
    check_degrade();
    ExFreePool(start_of(info));
    void *memory = pool_allocate_whole(info->type, (size_t)info->size, info->tag, c);
    registry_vacate((uintptr_t)memory);
    return memory;
}

void *check_hand_out(const struct record_info *info, const struct caller *c) {
    write_fresh(info);
    if (RXP_LIKELY(registry_insert(info)))
        return (void *)(uintptr_t)info->block;
    return allocate_unrecorded(info, c);
}

/* A block as the pool gives it, of at least `request` bytes, and a record of it. */
static RXP_NOINLINE void *allocate_plain(struct record_info *info, size_t request,
                                         enum record_kind kind, const struct caller *c) {
    void *memory = pool_allocate_whole(
        info->type, info->size > request ? (size_t)info->size : request, info->tag, c);
    if (memory == NULL)
        return NULL;
    info->block = (uintptr_t)memory;
    info->kind = (uint8_t)kind;
    if (!registry_insert(info)) {
        registry_vacate(info->block);
        check_degrade();
    }
    return memory;
}

/* A request that the rules allow. */
RXP_INLINE void *allocate(uint32_t type, uint32_t size, uint32_t tag, const struct caller *c) {
    struct record_info info = record_of_call(type, size == 0 ? 1 : size, tag, c);
    if (RXP_UNLIKELY(check.plain))
        return allocate_plain(&info, 1, RECORD_PLAIN, c);
    do {
        if (RXP_UNLIKELY(!obtain(&info, c)))
            return NULL;
    } while (RXP_UNLIKELY(check_seems_live(&info) && check_in_use(&info, c)));
    return check_hand_out(&info, c);
}

/*
 * Under fail=. What the pool is asked for on the caller's behalf is more, and may be asked for twice: it
 * is the caller's request that is failed.
 */
static RXP_COLD void *allocate_or_fail(uint32_t type, uint32_t size, uint32_t tag,
                                       const struct caller *c) {
    if (fault_fails(type, size, tag, c))
        return NULL;
    void *block = allocate(type, size, tag, c);
    fault_judged();
    return block;
}

static RXP_COLD void *allocate_unchecked(uint32_t type, uint32_t size, uint32_t tag,
                                         const struct caller *c) {
    check_degrade();
    return pool_allocate_whole(type, size, tag, c);
}

void *check_allocate_any(uint32_t type, uint32_t size, uint32_t tag, const struct caller *c) {
    bool ready = check_ready();
    sweep_call(c);
    if (RXP_UNLIKELY(size == UINT32_MAX)) {
        report_size_refused(c, type, tag);
        return NULL;
    }
    if (!rules_allow(type, size, tag, c))
        return NULL;
    if (RXP_UNLIKELY(!ready))
        return allocate_unchecked(type, size, tag, c);
    if (RXP_UNLIKELY(check.fails))
        return allocate_or_fail(type, size, tag, c);
    return allocate(type, size, tag, c);
}

/*
 * A checked block of 1 to 15 bytes is 16 bytes from the end of its memory. A plain one behind it would
 * begin in the same granule: it is never of the size of that memory.
 */
static size_t plain_request(size_t size) {
    size_t least = BLOCK_HEADER + BLOCK_ALIGNMENT;
    if (size <= REGISTRY_GRANULE)
        return REGISTRY_GRANULE;
    return size <= least ? least + 1 : size;
}

static void *allocate_for_others(uint32_t type, size_t size, uint32_t tag, const struct caller *c) {
    if (!check_ready() || size > UINT32_MAX)
        return pool_allocate_whole(type, size, tag, c);
    struct record_info info = record_of_call(type, (uint32_t)size, tag, c);
    return allocate_plain(&info, plain_request(size), RECORD_OTHERS, c);
}

void *check_allocate_for_others(uint32_t type, size_t size, uint32_t tag, const struct caller *c) {
    bool failing = options_get()->fail != OPTIONS_FAIL_NONE;
    if (!rules_allow(type, size, tag, c) || (failing && fault_fails(type, size, tag, c)))
        return NULL;
    void *memory = allocate_for_others(type, size, tag, c);
    if (failing)
        fault_judged();
    return memory;
}

/* --- free ------------------------------------------------------------------------------------ */

/* A block that no record knows: the pool's own, or no block at all. */
static RXP_NOINLINE void free_unknown(void *block, uint32_t tag, const struct caller *c) {
    struct record_info around;
    bool known = check_ready() && check_find_around((uintptr_t)block, &around);
    const struct pool_backend *backend = pool_backend();
    uintptr_t start;
    uint32_t its_tag;
    uint64_t address = (uintptr_t)block;
    /* A pool that cannot be asked hands out no address like that: what fills memory is such a one. */
    enum backend_kind kind = address % BLOCK_ALIGNMENT != 0 ? BACKEND_FOREIGN : BACKEND_BLOCK;

    if (backend != NULL)
        kind = backend->lookup(block, &start, &its_tag);
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

/* What is wrong with a block that is being freed; false when that is nothing. */
static RXP_NOINLINE bool find_damage(const struct record_info *info, const struct caller *c) {
    struct damage d;
    block_check_live(info, RX_POOL_STATE_ALLOCATED, &d);
    if (RXP_LIKELY(d.kind == DAMAGE_NONE))
        return false;
    report_damage(c, info, &d);
    quarantine_set_aside(info->block);
    return true;
}

/* Checks a block on its last moment, and marks and fills it; false when it was set aside. */
RXP_INLINE bool end_life(const struct record_info *info, bool fill, const struct caller *c) {
    if (RXP_LIKELY(info->plain) && RXP_LIKELY(block_live_is_whole(info))) {
        block_put_ended(info, fill);
        return true;
    }
    if (find_damage(info, c))
        return false;
    block_retire(info, fill);
    return true;
}

/* What a free counts as: of a block that has to stay, another like it does as well. */
static struct counted_block counted(const struct take *t) {
    return t->told ? t->counted
                   : check.backend->counted(start_of(t->victims != 0 ? &t->victim[0] : &t->info));
}

/* Publishes that a block is held now, and the first of those that leave for it no longer. */
RXP_INLINE void exchange(const struct take *t, const struct caller *c) {
    const struct pool_backend *backend = check.backend;
    const struct record_info *out = &t->victim[0];
    if (RXP_LIKELY(t->victims != 0) && RXP_LIKELY(check_evicted(out, c))) {
        if (RXP_UNLIKELY(t->told) && backend != NULL)
            backend->hold_instead(t->counted, start_of(out));
        give_back(out);
    } else if (backend != NULL) {
        backend->hold(counted(t), 1);
    }
}

void check_evict(const struct record_info *info, const struct caller *c) {
    evict(info, c);
}

/* Blocks that leave for a large one are mostly small, and many. */
static RXP_NOINLINE void go_on(struct take *t, const struct caller *c) {
    do {
        quarantine_go_on(t);
        for (unsigned i = 0; i < t->victims; i++)
            evict(&t->victim[i], c);
    } while (t->more && !(t->irql <= APC_LEVEL && quick_leave(c)));
}

void check_go_on(const struct caller *c) {
    struct take t;
    t.irql = PASSIVE_LEVEL;
    go_on(&t, c);
}

void check_make_way(struct take *t, const struct caller *c) {
    exchange(t, c);
    for (unsigned i = 1; i < t->victims; i++)
        evict(&t->victim[i], c);
    if (RXP_UNLIKELY(t->more))
        go_on(t, c);
    if (RXP_UNLIKELY(t->surplus))
        drain(t->irql <= APC_LEVEL, false, c);
}

void check_keep(struct take *t, const struct caller *c) {
    quarantine_keep(t);
    check_make_way(t, c);
}

/* A damaged block stays where it is: it counts as held all the same. */
void check_finish_free(struct take *t, bool held, const struct caller *c) {
    bool whole = end_life(&t->info, held && check.fill, c);
    if (RXP_LIKELY(whole && held))
        quarantine_keep(t);
    else if (whole)
        give_back(&t->info);
    if (RXP_LIKELY(held))
        check_make_way(t, c);
}

/* Frees it, whose ever it is; a heap's block is no business of the pool's routines. */
static void free_taken(struct take *t, bool held, const struct caller *c) {
    if (t->info.family != 0)
        report_wrong_family(c, &t->info);
    check_finish_free(t, held, c);
}

/* Everything but a live block of the pool that the quarantine will hold. */
static RXP_NOINLINE void free_uncommon(struct take *t, enum take_verdict verdict,
                                       const struct caller *c) {
    void *block = (void *)(uintptr_t)t->block;
    switch (verdict) {
    case TAKE_HELD:
    case TAKE_DIRECT:
        free_taken(t, verdict == TAKE_HELD, c);
        break;
    case TAKE_UNKNOWN:
        free_unknown(block, t->tag, c);
        break;
    case TAKE_NOT_LIVE:
        report_repeated_free(c, &t->info);
        break;
    case TAKE_WRONG_TAG:
        report_wrong_tag(c, &t->info, t->tag);
        break;
    case TAKE_WRONG_IRQL:
        report_free_irql(c, &t->info, t->irql);
        break;
    case TAKE_OTHERS:
        registry_forget(t->block, t->site);
        ExFreePool(block);
        break;
    case TAKE_SIGNED:
        report_wrong_routine(c, &t->info, "a signed block was freed; RxUnsignMemoryBlock ends it");
        break;
    }
}

void check_free_any(void *block, uint32_t tag, const struct caller *c) {
    struct take t; /* large: only what goes in is set */
    bool ready = check_ready();
    sweep_call(c);
    t.block = (uintptr_t)block;
    t.tag = tag;
    t.site = sites_of(c);
    t.irql = KeGetCurrentIrql();
    t.irql_most = check.irql_most;
    t.held_most = check.held_most;
    enum take_verdict verdict = ready ? quarantine_take(&t) : TAKE_UNKNOWN;
    if (RXP_LIKELY(verdict == TAKE_HELD && t.info.family == 0))
        check_finish_free(&t, true, c);
    else
        free_uncommon(&t, verdict, c);
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
        check_degrade();
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
    bool there = block_is_readable(&info);
    if (there)
        block_check_live(&info, RX_POOL_STATE_SIGNED, &d);
    registry_unpin(info.block, RECORD_LIVE);
    registry_forget(info.block, sites_of(c));
    if (!there) {
        report_bad_address(c, info.block, BAD_ADDRESS,
                           "RxUnsignMemoryBlock was given a block whose memory cannot be read",
                           &info);
        return NULL;
    }
    if (d.kind != DAMAGE_NONE)
        report_damage(c, &info, &d);
    block_retire(&info, false);
    return start_of(&info);
}
