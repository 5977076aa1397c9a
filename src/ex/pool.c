/*
 * The documented entry points over the engine: argument rules, IRQL rules and bug checks.
 *
 * Every rule is checked in the slow path only. An allocation becomes fast for the next call of the
 * same type and tag when its arguments were valid, so what the fast path serves has passed the
 * rules before; a call that must be looked at each time (a cache line, quota, strict=args) never
 * becomes fast, and zeroing is left to the entry points that promise it. At a raised IRQL the
 * engine's fast paths are off.
 */
#include <ntifs.h>

#include "base/options.h"
#include "base/stop.h"
#include "ex/cold.h"
#include "ex/engine.h"
#include "ex/fast.h"
#include "ex/fault.h"
#include "ex/free_report.h"
#include "ex/ntthread.h"
#include "ex/raise.h"
#include "ex/special.h"

#define TAG_NONE 0x656E6F4Eu     /* "None": calls without a tag */
#define TAG_BIG 0x42494720u      /* 'BIG ' as a character constant */
#define TAG_BIG_READ 0x20474942u /* and as "BIG " lies in memory */

#define POOL_PAGED 1u /* of POOL_TYPE */
#define POOL_MUST_SUCCEED 2u
#define POOL_CACHE_ALIGNED 4u
#define POOL_SESSION 32u
#define POOL_ADVICE (POOL_QUOTA_FAIL_INSTEAD_OF_RAISE | POOL_COLD_ALLOCATION)
#define POOL_MODIFIERS                                                                             \
    (POOL_ADVICE | POOL_RAISE_IF_ALLOCATION_FAILURE | POOL_NX_ALLOCATION | POOL_ZERO_ALLOCATION)

#define FLAGS_REQUIRED 0xFFFFFFFFu /* flags that must be known */
#define FLAGS_POOL (POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED)
#define FLAGS_KNOWN                                                                                \
    (FLAGS_POOL | POOL_FLAG_USE_QUOTA | POOL_FLAG_UNINITIALIZED | POOL_FLAG_SESSION |              \
     POOL_FLAG_CACHE_ALIGNED | POOL_FLAG_RAISE_ON_FAILURE)

/* One allocation as the rules see it. */
struct request {
    uint32_t type;    /* as it came: POOL_TYPE with modifiers, or POOL_FLAGS */
    uint32_t account; /* ACCOUNT_ bits */
    uint32_t tag;     /* as it came */
    size_t size;
    unsigned engine; /* ENGINE_ flags */
    uint64_t alias;
    const void *caller;
};

/* --- reports ---------------------------------------------------------------------------------- */

/* 0xC2 for an allocation. */
RXP_COLD static void stop_allocation(const struct request *q, uint64_t p1, uint64_t p2, uint64_t p3,
                                     uint64_t p4, const char *what) {
    struct stop_report *r = stop_claim();
    struct text *t;

    stop_begin(r, STOP_BAD_POOL_CALLER, p1, p2, p3, p4, what);
    t = stop_line(r, "request");
    text_decimal(t, q->size);
    text_string(t, " bytes, type ");
    text_address(t, q->type);
    text_string(t, ", tag ");
    text_tag(t, q->tag);
    stop_end_line(r);
    stop_caller(r, "called from", q->caller);
    stop_commit(r);
}

/* --- the rules of an allocation: false when one is broken and the process goes on ------------- */

static bool irql_allowed(const struct request *q) {
    KIRQL irql = nt_irql;

    if (irql <= APC_LEVEL || (irql == DISPATCH_LEVEL && !(q->account & ACCOUNT_PAGED)))
        return true;
    stop_allocation(q, 0x08, irql, q->type, q->size, "allocation at an IRQL that is too high");
    return false;
}

static bool type_allowed(const struct request *q) {
    uint32_t plain = q->type & ~(uint32_t)(POOL_MODIFIERS | POOL_SESSION);
    struct stop_report *r;

    if (plain == POOL_MUST_SUCCEED || plain == (POOL_MUST_SUCCEED | POOL_CACHE_ALIGNED)) {
        stop_allocation(q, 0x9A, q->type, q->size, q->tag,
                        "allocation from must-succeed pool, which does not exist any more");
        return false;
    }
    if (!(plain & ~(POOL_PAGED | POOL_CACHE_ALIGNED)))
        return true;
    r = stop_claim();
    stop_begin(r, STOP_KERNEL_MODE_HEAP_CORRUPTION, 0x09, 0, q->type, q->tag,
               "allocation of a pool type that does not exist");
    stop_caller(r, "called from", q->caller);
    stop_commit(r);
    return false;
}

static bool has_letter_or_digit(uint32_t tag) {
    for (unsigned i = 0; i < 4; i++, tag >>= 8) {
        unsigned char c = (unsigned char)tag;

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
            return true;
    }
    return false;
}

static bool tag_allowed(const struct request *q) {
    uint32_t tag = q->tag & ~(uint32_t)PROTECTED_POOL;
    uintptr_t caller = (uintptr_t)q->caller;

    if (tag == 0)
        stop_allocation(q, 0x9B, q->type, q->size, caller, "allocation with a tag of zero");
    else if (tag == TAG_BIG || tag == TAG_BIG_READ)
        stop_allocation(q, 0x9C, q->type, q->size, caller, "allocation with the tag BIG");
    else if (!has_letter_or_digit(tag))
        stop_allocation(q, 0x9D, q->tag, q->type, caller,
                        "allocation with a tag that has no letter or digit");
    else
        return true;
    return false;
}

static bool size_allowed(const struct request *q) {
    if (q->size != 0 || !(options_get()->strict & OPTIONS_STRICT_ARGS))
        return true;
    stop_allocation(q, 0x00, 0, q->type, q->tag, "allocation of zero bytes");
    return false;
}

/* --- allocation ------------------------------------------------------------------------------- */

RXP_COLD static bool request_fails(const struct request *q, uint32_t tag) {
    const struct fault_request r = {.size = q->size,
                                    .tag = tag,
                                    .caller = q->caller,
                                    .paged = (q->account & ACCOUNT_PAGED) != 0};

    return fault_inject(&r);
}

static void *request_serve(const struct request *q) {
    uint32_t tag = q->tag & ~(uint32_t)PROTECTED_POOL;
    unsigned flags = q->engine;

    if (fault_wanted() && request_fails(q, tag))
        return NULL;
    if (options_get()->strict & OPTIONS_STRICT_ARGS)
        flags |= ENGINE_NO_INSTALL;
    uint64_t key = ACCOUNT_KEY(tag, q->account, 0);
    if (RXP_UNLIKELY(special_asks())) {
        size_t alignment = flags & ENGINE_CACHE_ALIGNED ? 64 : 16;
        void *block = special_serve(key, q->size, alignment, &flags, q->caller);
        if (block != NULL)
            return block;
    }
    return engine_alloc(q->alias, key, q->size, flags);
}

/*
 * A request by POOL_TYPE. `account` adds bits to what the type says. One that wants zeroes makes
 * the type without that modifier fast: the fast path of a type with it would serve what is not
 * zero.
 */
static struct request request_of_type(POOL_TYPE type, size_t size, uint32_t tag, uint32_t account,
                                      const void *caller) {
    uint32_t bits = (uint32_t)type;
    struct request q = {.type = bits,
                        .account = account,
                        .tag = tag,
                        .size = size,
                        .alias = ALIAS_TYPE(bits & ~(uint32_t)POOL_ZERO_ALLOCATION, tag),
                        .caller = caller};

    if (bits & POOL_PAGED)
        q.account |= ACCOUNT_PAGED;
    else if (!(bits & POOL_NX_ALLOCATION))
        q.account |= ACCOUNT_EXECUTABLE;
    if (bits & POOL_CACHE_ALIGNED)
        q.engine |= ENGINE_CACHE_ALIGNED | ENGINE_NO_INSTALL;
    if (bits & POOL_ZERO_ALLOCATION)
        q.engine |= ENGINE_ZERO;
    if (account & ACCOUNT_QUOTA)
        q.engine |= ENGINE_NO_INSTALL;
    return q;
}

/* NULL on failure of whatever kind. */
static void *request_run(const struct request *q) {
    if (!type_allowed(q) || !irql_allowed(q) || !size_allowed(q) || !tag_allowed(q))
        return NULL;
    return request_serve(q);
}

RXP_NOINLINE static void *allocate_slow(POOL_TYPE type, size_t size, uint32_t tag,
                                        const void *caller) {
    struct request q = request_of_type(type, size, tag, 0, caller);
    void *block = request_run(&q);

    if (block == NULL && ((uint32_t)type & POOL_RAISE_IF_ALLOCATION_FAILURE))
        raise_status(STATUS_INSUFFICIENT_RESOURCES, caller);
    return block;
}

/* The alias is known, or was, but what cold.h serves it with ran out. */
RXP_NOINLINE static void *allocate_known(uint64_t alias, size_t size, const void *caller) {
    void *block = engine_alloc_known(alias, size, LAYOUT_POOL);

    if (RXP_LIKELY(block != NULL))
        return block;
    return allocate_slow((POOL_TYPE)ALIAS_TYPE_OF(alias), size, (uint32_t)alias, caller);
}

/* The fast path missed: most often since the tag's blocks are on mixed slabs. */
RXP_NOINLINE static void *allocate_cold(uint64_t alias, size_t size, const struct table_entry *e,
                                        const void *caller) {
    void *block = cold_alloc(e, alias, size, LAYOUT_POOL);

    return RXP_LIKELY(block != NULL) ? block : allocate_known(alias, size, caller);
}

RXP_INLINE void *allocate(POOL_TYPE type, size_t size, uint32_t tag, const void *caller) {
    uint64_t alias = ALIAS_TYPE((uint32_t)type, tag);
    const struct table_entry *e = fast_entry(alias);
    void *block = fast_alloc(e, alias, size, LAYOUT_POOL);

    return RXP_LIKELY(block != NULL) ? block : allocate_cold(alias, size, e, caller);
}

/*
 * As allocate(), but that the commonest second path is inlined, too, and that the caller is asked for behind both, which
 * it would cost an instruction.
 */
NTKERNELAPI PVOID NTAPI ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag) {
    uint64_t alias = ALIAS_TYPE((uint32_t)PoolType, Tag);
    const struct table_entry *e = fast_entry(alias);
    uint64_t seen = STATE_LOAD(&e->alias);
    bool look;
    void *block;

    if (RXP_LIKELY(seen == alias)) {
        block = fast_alloc_found(e, NumberOfBytes, LAYOUT_POOL);
        if (RXP_LIKELY(block != NULL))
            return block;
    } else if (RXP_LIKELY(seen + alias == 0)) {
        block = cold_take(e->who, NumberOfBytes, LAYOUT_POOL, &look);
        if (RXP_LIKELY(block != NULL))
            return RXP_UNLIKELY(look) ? cold_look(block, alias, e->who) : block;
    }
    return allocate_cold(alias, NumberOfBytes, e, RXP_RETURN_ADDRESS());
}

NTKERNELAPI PVOID NTAPI ExAllocatePool(POOL_TYPE PoolType, SIZE_T NumberOfBytes) {
    return allocate(PoolType, NumberOfBytes, TAG_NONE, RXP_RETURN_ADDRESS());
}

NTKERNELAPI PVOID NTAPI ExAllocatePoolZero(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag) {
    uint32_t plain = (uint32_t)PoolType & ~(uint32_t)POOL_ZERO_ALLOCATION;
    uint64_t alias = ALIAS_TYPE(plain, Tag);
    void *block = engine_alloc_fast(alias, NumberOfBytes);

    if (RXP_UNLIKELY(block == NULL))
        block = engine_alloc_second(alias, NumberOfBytes, LAYOUT_POOL);
    return RXP_LIKELY(block != NULL) ? memset(block, 0, NumberOfBytes)
                                     : allocate_slow((POOL_TYPE)(plain | POOL_ZERO_ALLOCATION),
                                                     NumberOfBytes, Tag, RXP_RETURN_ADDRESS());
}

NTKERNELAPI PVOID NTAPI ExAllocatePoolUninitialized(POOL_TYPE PoolType, SIZE_T NumberOfBytes,
                                                    ULONG Tag) {
    return allocate((POOL_TYPE)(PoolType & ~POOL_ZERO_ALLOCATION), NumberOfBytes, Tag,
                    RXP_RETURN_ADDRESS());
}

/* --- priorities ------------------------------------------------------------------------------- */

/* Under limit=, what a priority must leave free: an eighth for low, a thirty-second for normal. */
static bool priority_allows(EX_POOL_PRIORITY priority, size_t size) {
    uint64_t limit = options_get()->limit, reserve, live;

    if (RXP_LIKELY(limit == 0) || priority >= HighPoolPriority)
        return true;
    const struct root *root = engine_root();
    if (root == NULL)
        return true;
    reserve = priority < NormalPoolPriority ? limit / 8 : limit / 32;
    live = atomic_load_explicit(&root->live_bytes, memory_order_relaxed);
    return live < limit - reserve && size <= limit - reserve - live;
}

RXP_NOINLINE static void *allocate_priority(POOL_TYPE type, size_t size, uint32_t tag,
                                            EX_POOL_PRIORITY priority, const void *caller) {
    if (RXP_LIKELY(priority_allows(priority, size)))
        return allocate(type, size, tag, caller);
    if ((uint32_t)type & POOL_RAISE_IF_ALLOCATION_FAILURE)
        raise_status(STATUS_INSUFFICIENT_RESOURCES, caller);
    return NULL;
}

NTKERNELAPI PVOID NTAPI ExAllocatePoolWithTagPriority(POOL_TYPE PoolType, SIZE_T NumberOfBytes,
                                                      ULONG Tag, EX_POOL_PRIORITY Priority) {
    /* The checked build's blocks come this way: without limit= it is as short as the plain one. */
    if (RXP_LIKELY(options_unlimited()))
        return allocate(PoolType, NumberOfBytes, Tag, RXP_RETURN_ADDRESS());
    return allocate_priority(PoolType, NumberOfBytes, Tag, Priority, RXP_RETURN_ADDRESS());
}

NTKERNELAPI PVOID NTAPI ExAllocatePoolPriorityZero(POOL_TYPE PoolType, SIZE_T NumberOfBytes,
                                                   ULONG Tag, EX_POOL_PRIORITY Priority) {
    return allocate_priority((POOL_TYPE)(PoolType | POOL_ZERO_ALLOCATION), NumberOfBytes, Tag,
                             Priority, RXP_RETURN_ADDRESS());
}

NTKERNELAPI PVOID NTAPI ExAllocatePoolPriorityUninitialized(POOL_TYPE PoolType,
                                                            SIZE_T NumberOfBytes, ULONG Tag,
                                                            EX_POOL_PRIORITY Priority) {
    return allocate_priority((POOL_TYPE)(PoolType & ~POOL_ZERO_ALLOCATION), NumberOfBytes, Tag,
                             Priority, RXP_RETURN_ADDRESS());
}

/* --- quota ------------------------------------------------------------------------------------ */

static void *allocate_quota(POOL_TYPE type, size_t size, uint32_t tag, const void *caller) {
    struct request q = request_of_type(type, size, tag, ACCOUNT_QUOTA, caller);
    void *block = request_run(&q);

    if (block == NULL && !((uint32_t)type & POOL_QUOTA_FAIL_INSTEAD_OF_RAISE))
        raise_status(STATUS_INSUFFICIENT_RESOURCES, caller);
    return block;
}

NTKERNELAPI PVOID NTAPI ExAllocatePoolWithQuotaTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes,
                                                   ULONG Tag) {
    return allocate_quota(PoolType, NumberOfBytes, Tag, RXP_RETURN_ADDRESS());
}

NTKERNELAPI PVOID NTAPI ExAllocatePoolWithQuota(POOL_TYPE PoolType, SIZE_T NumberOfBytes) {
    return allocate_quota(PoolType, NumberOfBytes, TAG_NONE, RXP_RETURN_ADDRESS());
}

NTKERNELAPI PVOID NTAPI ExAllocatePoolQuotaZero(POOL_TYPE PoolType, SIZE_T NumberOfBytes,
                                                ULONG Tag) {
    return allocate_quota((POOL_TYPE)(PoolType | POOL_ZERO_ALLOCATION), NumberOfBytes, Tag,
                          RXP_RETURN_ADDRESS());
}

NTKERNELAPI PVOID NTAPI ExAllocatePoolQuotaUninitialized(POOL_TYPE PoolType, SIZE_T NumberOfBytes,
                                                         ULONG Tag) {
    return allocate_quota((POOL_TYPE)(PoolType & ~POOL_ZERO_ALLOCATION), NumberOfBytes, Tag,
                          RXP_RETURN_ADDRESS());
}

/* --- the FsRtl forms: raise instead of answering NULL ----------------------------------------- */

#define FSRTL_TYPE(type) ((POOL_TYPE)((type) | POOL_RAISE_IF_ALLOCATION_FAILURE))
#define FSRTL_QUOTA_TYPE(type) ((POOL_TYPE)((type) & ~POOL_QUOTA_FAIL_INSTEAD_OF_RAISE))

NTKERNELAPI PVOID NTAPI FsRtlAllocatePoolWithTag(POOL_TYPE PoolType, ULONG NumberOfBytes,
                                                 ULONG Tag) {
    return allocate_slow(FSRTL_TYPE(PoolType), NumberOfBytes, Tag, RXP_RETURN_ADDRESS());
}

NTKERNELAPI PVOID NTAPI FsRtlAllocatePool(POOL_TYPE PoolType, ULONG NumberOfBytes) {
    return allocate_slow(FSRTL_TYPE(PoolType), NumberOfBytes, TAG_NONE, RXP_RETURN_ADDRESS());
}

NTKERNELAPI PVOID NTAPI FsRtlAllocatePoolWithQuotaTag(POOL_TYPE PoolType, ULONG NumberOfBytes,
                                                      ULONG Tag) {
    return allocate_quota(FSRTL_QUOTA_TYPE(PoolType), NumberOfBytes, Tag, RXP_RETURN_ADDRESS());
}

NTKERNELAPI PVOID NTAPI FsRtlAllocatePoolWithQuota(POOL_TYPE PoolType, ULONG NumberOfBytes) {
    return allocate_quota(FSRTL_QUOTA_TYPE(PoolType), NumberOfBytes, TAG_NONE,
                          RXP_RETURN_ADDRESS());
}

/* --- allocation by flags ---------------------------------------------------------------------- */

static bool flags_allowed(POOL_FLAGS flags) {
    uint64_t pool = flags & FLAGS_POOL;

    return !(flags & FLAGS_REQUIRED & ~FLAGS_KNOWN) && pool != 0 && (pool & (pool - 1)) == 0;
}

static struct request request_of_flags(POOL_FLAGS flags, size_t size, uint32_t tag,
                                       const void *caller) {
    struct request q = {.type = (uint32_t)flags,
                        .tag = tag,
                        .size = size,
                        .alias = ALIAS_FLAGS((uint32_t)flags, tag),
                        .caller = caller};

    if (flags & POOL_FLAG_PAGED)
        q.account |= ACCOUNT_PAGED;
    if (flags & POOL_FLAG_NON_PAGED_EXECUTE)
        q.account |= ACCOUNT_EXECUTABLE;
    if (flags & POOL_FLAG_USE_QUOTA)
        q.account |= ACCOUNT_QUOTA;
    if (flags & POOL_FLAG_CACHE_ALIGNED)
        q.engine |= ENGINE_CACHE_ALIGNED | ENGINE_NO_INSTALL;
    if (!(flags & POOL_FLAG_UNINITIALIZED))
        q.engine |= ENGINE_ZERO;
    return q;
}

RXP_NOINLINE static void *allocate_flags_slow(POOL_FLAGS flags, size_t size, uint32_t tag,
                                              const void *caller) {
    struct request q = request_of_flags(flags, size, tag, caller);
    NTSTATUS failure = STATUS_INVALID_PARAMETER;
    void *block = NULL;

    if (flags_allowed(flags) && size != 0 && (tag & ~(uint32_t)PROTECTED_POOL) != 0) {
        failure = STATUS_INSUFFICIENT_RESOURCES;
        if (irql_allowed(&q) && tag_allowed(&q))
            block = request_serve(&q);
    }
    if (block == NULL && (flags & POOL_FLAG_RAISE_ON_FAILURE))
        raise_status(failure, caller);
    return block;
}

NTKERNELAPI PVOID NTAPI ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag) {
    void *block = NULL;

    /* Unlike the older calls this one refuses zero bytes, which the fast path would serve. */
    if (RXP_LIKELY(NumberOfBytes != 0))
        block = engine_alloc_fast(ALIAS_FLAGS((uint32_t)Flags, Tag), NumberOfBytes);
    if (RXP_UNLIKELY(block == NULL) && NumberOfBytes != 0)
        block = engine_alloc_second(ALIAS_FLAGS((uint32_t)Flags, Tag), NumberOfBytes, LAYOUT_POOL);
    if (RXP_UNLIKELY(block == NULL))
        return allocate_flags_slow(Flags, NumberOfBytes, Tag, RXP_RETURN_ADDRESS());
    return (Flags & POOL_FLAG_UNINITIALIZED) ? block : memset(block, 0, NumberOfBytes);
}

/* --- free ------------------------------------------------------------------------------------- */

static bool free_irql_allowed(const void *block, const void *caller) {
    struct engine_block b = {0};
    KIRQL irql = nt_irql;
    bool paged;

    if (irql <= APC_LEVEL || engine_lookup(block, &b) != ENGINE_OK)
        return true; /* what is no block has a stop of its own */
    paged = (b.type & ACCOUNT_PAGED) != 0;
    if (irql == DISPATCH_LEVEL && !paged)
        return true;
    stop_commit(free_report(
        block, caller,
        (const uint64_t[]){0x09, irql, paged ? PagedPool : NonPagedPool, (uintptr_t)block},
        "free at an IRQL that is too high"));
    return false;
}

RXP_NOINLINE static void free_slow(void *block, uint32_t tag, const void *caller) {
    enum engine_verdict verdict;

    tag &= ~(uint32_t)PROTECTED_POOL;
    if (!free_irql_allowed(block, caller))
        return;
    if (RXP_UNLIKELY(special_asks()))
        special_note_free(block, caller);
    verdict = engine_free(block, tag);
    if (RXP_UNLIKELY(verdict != ENGINE_OK))
        stop_commit(free_report_verdict(block, tag, caller, verdict));
}

/* Neither the thread's own slab nor a mixed one of its own. */
RXP_NOINLINE static void free_other(void *block, uint32_t tag, const void *caller,
                                    const struct slab_label *label) {
    if (RXP_UNLIKELY(!cold_push(label, STATE_LOAD(&label->owner), block, tag)))
        free_slow(block, tag, caller);
}

NTKERNELAPI VOID NTAPI ExFreePoolWithTag(PVOID P, ULONG Tag) {
    const struct slab_label *label = fast_label(P);
    uint32_t owner = STATE_LOAD(&label->owner);

    if (RXP_LIKELY(fast_free(label, owner, P, Tag)))
        return;
    if (RXP_UNLIKELY(!cold_free(label, owner, P, Tag)))
        free_other(P, Tag, RXP_RETURN_ADDRESS(), label);
}

NTKERNELAPI VOID NTAPI ExFreePool(PVOID P) {
    const struct slab_label *label = fast_label(P);
    uint32_t owner = STATE_LOAD(&label->owner);

    if (RXP_LIKELY(fast_free(label, owner, P, 0)))
        return;
    if (RXP_UNLIKELY(!cold_free(label, owner, P, 0)))
        free_other(P, 0, RXP_RETURN_ADDRESS(), label);
}

NTKERNELAPI SIZE_T NTAPI ExQueryPoolBlockSize(PVOID PoolBlock, PBOOLEAN QuotaCharged) {
    struct engine_block b = {0};
    bool live = engine_lookup(PoolBlock, &b) == ENGINE_OK;

    *QuotaCharged = live && (b.type & ACCOUNT_QUOTA) != 0;
    return live ? b.size : 0;
}
