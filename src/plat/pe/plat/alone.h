/* The names of elf/plat/alone.h for Windows images, whose threads anybody may start: no thread knows itself alone. */
#ifndef RXPOOL_PLAT_ALONE_H
#define RXPOOL_PLAT_ALONE_H

#include <stdatomic.h>

#include "base/base.h"

RXP_INLINE bool plat_is_alone(void) {
    return false;
}

RXP_INLINE bool plat_exchange_alone(_Atomic uint64_t *word, uint64_t from, uint64_t to) {
    return atomic_compare_exchange_strong_explicit(word, &from, to, memory_order_acq_rel,
                                                   memory_order_acquire);
}

#endif
