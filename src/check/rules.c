/* The rules of a request: see rules.h. */
#include "check/rules.h"

#define TYPE_PAGED 1u /* of POOL_TYPE */
#define TYPE_MUST_SUCCEED 2u
#define TYPE_CACHE_ALIGNED 4u
#define TYPE_SESSION 32u
#define TYPE_MODIFIERS                                                                             \
    (POOL_QUOTA_FAIL_INSTEAD_OF_RAISE | POOL_RAISE_IF_ALLOCATION_FAILURE | POOL_COLD_ALLOCATION |  \
     POOL_NX_ALLOCATION | POOL_ZERO_ALLOCATION)

#define TAG_BIG 0x42494720u      /* 'BIG ' as a character constant */
#define TAG_BIG_READ 0x20474942u /* and as "BIG " lies in memory */

/* Parameter 1 of 0xC2, and of 0x13A for a type that does not exist. */
#define CALLER_MUST_SUCCEED 0x9A
#define CALLER_TAG_ZERO 0x9B
#define CALLER_TAG_BIG 0x9C
#define CALLER_TAG_NO_LETTER 0x9D
#define HEAP_INVALID_ARGUMENT 0x9

/* Zero is no names for certain, where those of type 0 and tag 0 would be. */
_Atomic uint64_t rules_good[1u << RULES_KNOWN_BITS] = {~(uint64_t)0};
static _Atomic uint32_t odd; /* the tag last warned of */

static bool type_allowed(const struct report_request *q, const struct caller *c) {
    uint32_t plain = q->type & ~(uint32_t)(TYPE_MODIFIERS | TYPE_SESSION);
    if ((plain & ~TYPE_CACHE_ALIGNED) == TYPE_MUST_SUCCEED) {
        report_request(c, STOP_BAD_POOL_CALLER,
                       (const uint64_t[]){CALLER_MUST_SUCCEED, q->type, q->size, q->tag},
                       "must-succeed pool was requested, which does not exist any more", q);
        return false;
    }
    if ((plain & ~(TYPE_PAGED | TYPE_CACHE_ALIGNED)) == 0)
        return true;
    report_request(c, STOP_KERNEL_MODE_HEAP_CORRUPTION,
                   (const uint64_t[]){HEAP_INVALID_ARGUMENT, 0, q->type, q->tag},
                   "a pool type that does not exist was requested", q);
    return false;
}

static bool has_letter_or_digit(uint32_t tag) {
    for (; tag != 0; tag >>= 8) {
        unsigned c = tag & 0xFF;
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
            return true;
    }
    return false;
}

static bool tag_allowed(const struct report_request *q, const struct caller *c) {
    uint32_t tag = q->tag & ~(uint32_t)PROTECTED_POOL;
    uint64_t caller = (uintptr_t)c->pc;
    if (tag == 0)
        report_request(c, STOP_BAD_POOL_CALLER,
                       (const uint64_t[]){CALLER_TAG_ZERO, q->type, q->size, caller},
                       "a block was requested with a tag of zero", q);
    else if (tag == TAG_BIG || tag == TAG_BIG_READ)
        report_request(c, STOP_BAD_POOL_CALLER,
                       (const uint64_t[]){CALLER_TAG_BIG, q->type, q->size, caller},
                       "a block was requested with the tag BIG, which the pool keeps to itself", q);
    else if (!has_letter_or_digit(tag))
        report_request(c, STOP_BAD_POOL_CALLER,
                       (const uint64_t[]){CALLER_TAG_NO_LETTER, q->tag, q->type, caller},
                       "a block was requested with a tag that has no letter or digit", q);
    else
        return true;
    return false;
}

/* Whether a byte of the tag is no character of 0x20 to 0x7E; unused bytes at its end are zero. */
static bool odd_tag(uint32_t tag) {
    for (tag &= ~(uint32_t)PROTECTED_POOL; tag != 0; tag >>= 8)
        if ((tag & 0xFF) < 0x20 || (tag & 0xFF) > 0x7E)
            return true;
    return false;
}

/* The rules that look at type and tag alone. */
static bool names_allowed(const struct report_request *q, const struct caller *c) {
    if (!type_allowed(q, c) || !tag_allowed(q, c))
        return false;
    /* Each odd tag once, as long as no other one takes its place. */
    if (odd_tag(q->tag) && atomic_exchange(&odd, q->tag) != q->tag)
        report_odd_tag(c, q);
    uint64_t names = RULES_NAMES(q->type, q->tag);
    atomic_store_explicit(rules_place(names), names, memory_order_relaxed);
    return true;
}

bool rules_allow_slow(uint32_t type, uint64_t size, uint32_t tag, const struct caller *c) {
    struct report_request q = {type, tag, size};
    unsigned irql = KeGetCurrentIrql();
    if (RXP_UNLIKELY(irql > (type & TYPE_PAGED ? APC_LEVEL : DISPATCH_LEVEL))) {
        report_allocate_irql(c, &q, irql);
        return false;
    }
    if (RXP_UNLIKELY(size == 0))
        report_zero_size(c, &q);
    return names_allowed(&q, c);
}
