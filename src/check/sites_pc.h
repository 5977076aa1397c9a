/*
 * The look-up of a known return address, inline: for sites_pc.c, whose comment says what is compared, and
 * map/quick.c.
 */
#ifndef RXPOOL_CHECK_SITES_PC_H
#define RXPOOL_CHECK_SITES_PC_H

#include <string.h>

#include "check/sites.h"

struct pc_site {
    uintptr_t pc;
    uint64_t code;                  /* of the bytes around it */
    uint64_t offset : 48;           /* in the module */
    int64_t before : 8, behind : 8; /* where those bytes lie, from pc */
    const char *module;
};

#define SITES_PC_CACHE_BITS 12
#define SITES_PC_HASH 0x9E3779B97F4A7C15u

/* By pc: indices that may be right. Published by release: who finds one finds its site filled in. */
extern RXP_HIDDEN _Atomic uint32_t sites_pc_cache[1u << SITES_PC_CACHE_BITS];
extern RXP_HIDDEN struct pc_site *sites_pc; /* by index */

RXP_INLINE _Atomic uint32_t *sites_pc_cached(uintptr_t pc) {
    return &sites_pc_cache[pc * SITES_PC_HASH >> (64 - SITES_PC_CACHE_BITS)];
}

RXP_INLINE uint64_t sites_pc_mix(uint64_t before, uint64_t behind) {
    return before * SITES_PC_HASH ^ behind;
}

/* The code around a site's place, which somebody will return to. */
RXP_INLINE uint64_t sites_pc_code(const struct pc_site *s) {
    uint64_t before, behind;
    memcpy(&before, (const void *)(s->pc + (uintptr_t)s->before), sizeof before);
    memcpy(&behind, (const void *)(s->pc + (uintptr_t)s->behind), sizeof behind);
    return sites_pc_mix(before, behind);
}

/* The id of a place that is in the cache; else 0, and sites_intern_pc is to be called. */
RXP_INLINE uint32_t sites_known_pc(const void *address) {
    uintptr_t pc = (uintptr_t)address;
    uint32_t id = atomic_load_explicit(sites_pc_cached(pc), memory_order_acquire);
    if (RXP_UNLIKELY(id == 0))
        return 0;
    const struct pc_site *s = &sites_pc[id];
    return RXP_LIKELY(s->pc == pc) && RXP_LIKELY(s->code == sites_pc_code(s)) ? id | SITE_PC : 0;
}

#endif
