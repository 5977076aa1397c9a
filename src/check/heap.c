/* Checked blocks for malloc and new: see heap.h. */
#include "check/heap.h"

#include <stdatomic.h>
#include <string.h>

#include "base/backend.h"
#include "base/options.h"
#include "check/block_words.h"
#include "check/check.h"
#include "check/inside.h"
#include "check/quick.h"
#include "check/sites.h"
#include "check/sweep.h"
#include "plat/plat.h"

#define ALIGNMENT_MOST ((size_t)1 << 31) /* `back` of a record has 32 bits */
#define FRESH_MOST 4096u /* a pattern in every page of a large block would be its cost */
#define IN_PLACE_LEAST ((size_t)1 << 17) /* a block of a size that no quarantine holds by default */

static const struct check_heap *heap;
static bool guards; /* some blocks are to lie between guard pages, and can */
static _Atomic bool any_unrecorded;

void check_heap_unrecorded(void) {
    atomic_store_explicit(&any_unrecorded, true, memory_order_relaxed);
}

static void at_exit(void) {
    check_heap_sweep(&(const struct caller){.routine = "exit"});
}

bool check_heap_use(const struct check_heap *use) {
    heap = use;
    quick_use_heap(use);
    if (!check_start())
        return false;
    guards = check_guards() && use->guarded != NULL;
    return plat_at_exit(at_exit);
}

/* --- allocation ------------------------------------------------------------------------------ */

/* Asks the heap; when it has nothing left, the quarantine gives back what it holds first. */
static RXP_NOINLINE void *obtain_somehow(size_t size, size_t alignment, unsigned flags,
                                         const struct caller *c) {
    void *memory;
    do {
        memory = heap->allocate(size, alignment, flags, c);
        if (RXP_UNLIKELY(memory == NULL)) {
            check_drain(true, c);
            memory = heap->allocate(size, alignment, flags, c);
        }
    } while (RXP_UNLIKELY(!check_list(memory, c)));
    return memory;
}

RXP_INLINE void *obtain(size_t size, size_t alignment, unsigned flags, const struct caller *c) {
    if (RXP_LIKELY(alignment == BLOCK_ALIGNMENT && !(flags & HEAP_ZERO) &&
                   heap->allocate_quickly != NULL)) {
        struct backend_memory m = heap->allocate_quickly(size, c);
        if (RXP_LIKELY(m.whole))
            return m.memory;
        if (m.memory != NULL)
            check_list_is_broken(m.memory, c);
    }
    return obtain_somehow(size, alignment, flags, c);
}

static void fill_fresh(const struct record_info *info) {
    struct record_info part = *info;
    if (part.size > FRESH_MOST)
        part.size = FRESH_MOST;
    block_fill_fresh(&part);
}

RXP_INLINE void write_block(const struct record_info *info, unsigned flags) {
    bool fill = flags == 0 && options_get()->fill;
    if (RXP_UNLIKELY(flags & HEAP_ZERO))
        check_zero(info);
    if (RXP_LIKELY(info->plain)) {
        block_put_live(info, fill);
    } else {
        block_write(info, RX_POOL_STATE_ALLOCATED);
        if (fill)
            fill_fresh(info);
    }
}

/* No record can be had: the memory itself is the block, which a free finds in no record and gives back. */
static RXP_COLD void *unrecorded(const struct record_info *info) {
    void *memory = (void *)(uintptr_t)(info->block - info->back);
    check_degrade();
    check_heap_unrecorded();
    memset(memory, 0, info->back);
    registry_vacate((uintptr_t)memory);
    return memory;
}

/* Between guard pages, where the options ask for that and they can be had. */
static RXP_NOINLINE bool obtain_guarded(struct record_info *out, size_t alignment,
                                        const struct caller *c) {
    struct guard_request q = {.size = (size_t)out->size,
                              .alignment = alignment,
                              .lead = block_header_bytes(out),
                              .caller = c->pc};
    struct guard_place place;
    if (!heap->guarded(&q, &place))
        return false;
    check_set_place(out, &place);
    out->tail += out->size == 0; /* it was given one byte */
    return true;
}

/* The memory and where the block lies in it; false when there is none. */
static bool obtain_plain(struct record_info *out, size_t back, size_t alignment, unsigned flags,
                         const struct caller *c) {
    size_t size = (size_t)out->size;
    size_t behind = back == block_header_bytes(out) ? size + 1 : block_behind(size);
    size_t request = rxp_round_up(back + behind, BLOCK_ALIGNMENT);
    if (check_zeroes(request))
        flags &= ~HEAP_ZERO;
    do {
        uintptr_t memory = (uintptr_t)obtain(request, alignment, flags, c);
        if (RXP_UNLIKELY(memory == 0))
            return false;
        out->block = memory + back;
        out->back = (uint32_t)back;
        out->tail = (uint16_t)(request - back - out->size);
        out->plain = block_suits_words(out);
    } while (RXP_UNLIKELY(check_seems_live(out) && check_in_use(out, c)));
    return true;
}

void *check_heap_hand_out(const struct record_info *info, unsigned flags) {
    write_block(info, flags);
    if (RXP_UNLIKELY(!registry_insert(info)))
        return unrecorded(info);
    return (void *)(uintptr_t)info->block;
}

void *check_heap_allocate_any(size_t size, size_t alignment, unsigned flags,
                              enum heap_family family, const struct caller *c) {
    sweep_call(c);
    if (alignment < BLOCK_ALIGNMENT)
        alignment = BLOCK_ALIGNMENT;
    if (RXP_UNLIKELY(alignment > ALIGNMENT_MOST)) {
        check_heap_unrecorded();
        return obtain(size, alignment, flags, c);
    }
    if (RXP_UNLIKELY(size > PTRDIFF_MAX - alignment - BLOCK_HEADER - BLOCK_ALIGNMENT))
        return NULL;
    struct record_info info = {
        .size = size,
        .tag = heap->tag,
        .type = (uint16_t)NonPagedPoolNx,
        .family = (uint8_t)family,
        .alloc_site = sites_of(c),
        .time = (uint32_t)plat_clock_ms(),
    };
    size_t header = block_header_bytes(&info);
    if (!(RXP_UNLIKELY(guards) && obtain_guarded(&info, alignment, c)) &&
        RXP_UNLIKELY(
            !obtain_plain(&info, alignment > header ? alignment : header, alignment, flags, c)))
        return NULL;
    return check_heap_hand_out(&info, flags);
}

/* --- free ------------------------------------------------------------------------------------ */

/* The two ways in which a block's life ends, for the words of the reports. */
enum ending { FREED, RESIZED };

static const char *const words[][2] = {
    {"a block was freed a second time", "a freed block was resized"},
    {"an address inside a block was freed", "an address inside a block was resized"},
    {"an address that is in no pool was freed", "an address that is in no pool was resized"},
    {"an address of the pool at which nothing is allocated was freed",
     "an address of the pool at which nothing is allocated was resized"},
    {"a block of the pool was freed by a routine of the heap",
     "a block of the pool was resized by a routine of the heap"},
};
enum { AGAIN, INSIDE, NOWHERE, UNUSED, POOLS };

/* An address that no record knows. True when it is the heap's own memory, unrecorded. */
static RXP_NOINLINE bool judge_unknown(const void *block, enum ending ending,
                                       const struct caller *c) {
    struct record_info around;
    uint64_t address = (uintptr_t)block;
    uintptr_t start;
    uint32_t tag;
    const struct pool_backend *backend = pool_backend();
    enum backend_kind kind =
        backend != NULL ? backend->lookup(block, &start, &tag) : BACKEND_FOREIGN;
    bool ours = kind == BACKEND_BLOCK && tag == heap->tag;

    if (check_find_around(address, &around))
        report_bad_address(c, address, BAD_INTERIOR, words[INSIDE][ending], &around);
    else if (ours && atomic_load_explicit(&any_unrecorded, memory_order_relaxed))
        return true;
    else if (kind == BACKEND_BLOCK && !ours)
        report_bad_address(c, address, BAD_ADDRESS, words[POOLS][ending], NULL);
    else if (kind == BACKEND_INTERIOR)
        report_bad_address(c, address, BAD_INTERIOR, words[INSIDE][ending], NULL);
    else if (ours || kind == BACKEND_UNUSED)
        report_bad_address(c, address, BAD_UNUSED, words[UNUSED][ending], NULL);
    else
        report_nowhere(c, address, words[NOWHERE][ending], heap->describe);
    return false;
}

/*
 * Ends the block's life in the registry; its bytes are still there. What is wrong with it was reported,
 * but for TAKE_UNKNOWN, which the caller has to judge.
 */
static enum take_verdict take_block(struct take *t, void *block, enum heap_family family,
                                    enum ending ending, const struct caller *c) {
    t->block = (uintptr_t)block;
    t->tag = 0;
    t->site = sites_of(c);
    t->irql = PASSIVE_LEVEL;
    t->irql_most = DISPATCH_LEVEL;
    t->held_most = quarantine_most();
    enum take_verdict verdict = quarantine_take(t);
    switch (verdict) {
    case TAKE_HELD:
    case TAKE_DIRECT:
        if (RXP_UNLIKELY(t->info.family != family))
            report_wrong_family(c, &t->info);
        break;
    case TAKE_UNKNOWN:
        break;
    case TAKE_NOT_LIVE:
        report_not_live(c, &t->info, words[AGAIN][ending]);
        break;
    default:
        report_wrong_routine(c, &t->info, words[POOLS][ending]);
    }
    return verdict;
}

void check_heap_free_any(void *block, enum heap_family family, const struct caller *c) {
    struct take t; /* large: only what goes in is set */
    if (block == NULL)
        return;
    sweep_call(c);
    enum take_verdict verdict = take_block(&t, block, family, FREED, c);
    if (RXP_LIKELY(verdict == TAKE_HELD || verdict == TAKE_DIRECT))
        check_finish_free(&t, verdict == TAKE_HELD, c);
    else if (verdict == TAKE_UNKNOWN && judge_unknown(block, FREED, c))
        ExFreePool(block);
}

/* --- resize ---------------------------------------------------------------------------------- */

/*
 * A block of a size that is not held when it is freed may stay where it is: a stale pointer to it would
 * not be told from a valid one for long, and what a move costs is a copy. False: it has to move.
 */
static bool resize_in_place(void *block, size_t size, enum heap_family family) {
    struct record_info info;
    struct damage d = {.kind = DAMAGE_NONE};
    if (!registry_pin((uintptr_t)block, &info))
        return false;
    size_t request = rxp_round_up(info.back + size + 1, BLOCK_ALIGNMENT);
    bool suits = info.size >= IN_PLACE_LEAST && info.kind == RECORD_POOL && info.family == family;
    if (suits)
        block_check_live(&info, RX_POOL_STATE_ALLOCATED, &d);
    if (!suits || d.kind != DAMAGE_NONE ||
        !heap->resize((void *)(uintptr_t)(info.block - info.back), request)) {
        registry_unpin(info.block, RECORD_LIVE);
        return false;
    }
    info.size = size;
    info.tail = (uint16_t)(request - info.back - size);
    info.plain = block_suits_words(&info);
    block_write(&info, RX_POOL_STATE_ALLOCATED);
    registry_saw(info.block, SEEN_AT_RESIZE);
    registry_resize(&info);
    return true;
}

/* There was no memory for the new block: the old one lives on, if it is one. */
static RXP_COLD void *refuse(void *block, const struct caller *c) {
    struct record_info info;
    if (!registry_find((uintptr_t)block, &info))
        judge_unknown(block, RESIZED, c);
    else if (info.state != RECORD_LIVE && info.state != RECORD_BUSY)
        report_not_live(c, &info, words[AGAIN][RESIZED]);
    return NULL;
}

/* The bytes behind those that were copied are fresh. */
static void fill_grown(void *block, size_t copied, size_t size) {
    if (size > copied && options_get()->fill)
        fill_fresh(
            &(struct record_info){.block = (uintptr_t)block + copied, .size = size - copied});
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* `moved` is the new block, allocated with `flags`: what is left to do. */
static RXP_NOINLINE void *move(void *block, void *moved, size_t size, unsigned flags,
                               enum heap_family family, const struct caller *c) {
    struct take t; /* large: only what goes in is set */
    enum take_verdict verdict = take_block(&t, block, family, RESIZED, c);
    size_t held;
    if (RXP_LIKELY(verdict == TAKE_HELD || verdict == TAKE_DIRECT)) {
        held = least(t.info.size, size);
        memcpy(moved, block, held);
        check_finish_free(&t, verdict == TAKE_HELD, c);
    } else if (verdict == TAKE_UNKNOWN && judge_unknown(block, RESIZED, c)) {
        held = least(heap->size(block), size);
        memcpy(moved, block, held);
        ExFreePool(block);
    } else {
        check_heap_free(moved, family, c);
        return NULL;
    }
    if (flags == HEAP_UNFILLED)
        fill_grown(moved, held, size);
    return moved;
}

void *check_heap_resize(void *block, size_t size, enum heap_family family, const struct caller *c) {
    if (RXP_UNLIKELY(size >= IN_PLACE_LEAST) && size < PTRDIFF_MAX - ALIGNMENT_MOST &&
        resize_in_place(block, size, family))
        return block;
    /* A small one is filled as others are: that costs less than to fill what is left of it later. */
    unsigned flags = size <= BLOCK_UNITS_MOST ? 0 : HEAP_UNFILLED;
    /* The new block first: a block that was taken cannot be brought back to life. */
    void *moved = check_heap_allocate(size, BLOCK_ALIGNMENT, flags, family, c);
    if (RXP_UNLIKELY(moved == NULL))
        return refuse(block, c);
    if (RXP_LIKELY(flags == 0) && RXP_LIKELY(quick_move(block, moved, size, family, c)))
        return moved;
    return move(block, moved, size, flags, family, c);
}

/* --- questions ------------------------------------------------------------------------------- */

size_t check_heap_size(const void *block) {
    return (size_t)registry_size((uintptr_t)block);
}

void check_heap_sweep(const struct caller *c) {
    sweep_at_exit(true, c);
}
