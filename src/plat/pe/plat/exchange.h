/* The name of elf/plat/exchange.h for Windows images, whose threads anybody may start: always locked. */
#ifndef RXPOOL_PLAT_EXCHANGE_H
#define RXPOOL_PLAT_EXCHANGE_H

#include <stdatomic.h>

#include "base/base.h"

RXP_INLINE bool plat_exchange(_Atomic uint64_t *word, uint64_t from, uint64_t to) {
    return atomic_compare_exchange_strong_explicit(word, &from, to, memory_order_acq_rel,
                                                   memory_order_acquire);
}

#endif
