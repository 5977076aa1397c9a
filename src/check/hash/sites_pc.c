/*
 * Sites by return address in a kernel: see sites.h. They are those of the driver that this library is linked to, and under
 * stacks= of what calls it; a debugger knows their names.
 */
#include <stdatomic.h>

#include "check/sites.h"

#define SITES_MAX 4096u /* a power of two; few without stacks=, which makes each frame one */
#define PROBES_MOST 64u

static _Atomic uintptr_t sites[SITES_MAX]; /* open addressing; its place is its id */

uint32_t sites_intern_pc(const void *address) {
    uintptr_t pc = (uintptr_t)address;
    uint32_t hash = (uint32_t)((uint64_t)pc * 0x9E3779B97F4A7C15u >> 40);
    for (uint32_t i = 0; pc != 0 && i < PROBES_MOST; i++) {
        uint32_t at = (hash + i) % SITES_MAX;
        uintptr_t there = 0;
        /* Nothing but the word itself is published. */
        if (atomic_compare_exchange_strong_explicit(&sites[at], &there, pc, memory_order_relaxed,
                                                    memory_order_relaxed) ||
            there == pc)
            return at | SITE_PC;
    }
    return 0;
}

void sites_watch_forks_pc(void) {}

void sites_get_pc(uint32_t id, struct site *out) {
    uintptr_t pc = atomic_load_explicit(&sites[id & ~SITE_PC], memory_order_relaxed);
    *out = (struct site){NULL, 0, (const void *)pc, NULL, 0};
}
