/*
 * The documented rules of a request: IRQL, type, size and tag. The pool below has them too, but would
 * find a place inside this library where the caller should stand.
 */
#ifndef RXPOOL_CHECK_RULES_H
#define RXPOOL_CHECK_RULES_H

#include <stdatomic.h>

#include "check/report.h"

#define RXPOOL_CHECKED 1
#include <ntrxdef.h>

#define RULES_NAMES(type, tag) ((uint64_t)(type) << 32 | (tag))

/* Types and tags found good, by their hash: a driver has few of them and uses them often. */
#define RULES_KNOWN_BITS 6
extern RXP_HIDDEN _Atomic uint64_t rules_good[1u << RULES_KNOWN_BITS];

RXP_INLINE _Atomic uint64_t *rules_place(uint64_t names) {
    return &rules_good[names * 0x9E3779B97F4A7C15u >> (64 - RULES_KNOWN_BITS)];
}

/* All of the rules. */
bool rules_allow_slow(uint32_t type, uint64_t size, uint32_t tag, const struct caller *c);

/* Whether a request of some bytes may go on for certain, at an IRQL that is low enough whatever the type. */
RXP_INLINE bool rules_known(uint32_t type, uint32_t tag) {
    uint64_t names = RULES_NAMES(type, tag);
    return RXP_LIKELY(atomic_load_explicit(rules_place(names), memory_order_relaxed) == names);
}

/*
 * Whether a request for `size` bytes may go on: false, with a report, where the rules forbid it and
 * on_error=log keeps the process. No bytes are reported and allowed; a tag outside the documented
 * characters is warned of.
 */
RXP_INLINE bool rules_allow(uint32_t type, uint64_t size, uint32_t tag, const struct caller *c) {
    return (RXP_LIKELY(size != 0) && rules_known(type, tag) &&
            RXP_LIKELY(KeGetCurrentIrql() <= APC_LEVEL)) ||
           rules_allow_slow(type, size, tag, c);
}

#endif
