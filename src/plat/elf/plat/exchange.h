/*
 * A compare-and-swap that the process's only thread makes without the locked instruction, which waits until all that was
 * stored before it has reached memory. See thread_local.h for how one of two files is found.
 */
#ifndef RXPOOL_PLAT_EXCHANGE_H
#define RXPOOL_PLAT_EXCHANGE_H

#include <stdatomic.h>
#include <sys/single_threaded.h>

#include "base/base.h"

/*
 * *word becomes `to` if it is `from`; false else. Acquire and release. libc says whether there is one thread, which stays so
 * until that starts another; threads made behind its back are not seen. It is one instruction either way: a signal's
 * handler comes before it or behind it.
 */
RXP_INLINE bool plat_exchange(_Atomic uint64_t *word, uint64_t from, uint64_t to) {
#if defined(__x86_64__)
    if (RXP_LIKELY(__libc_single_threaded)) {
        bool same;
        __asm__("cmpxchgq %3, %1" : "=@ccz"(same), "+m"(*word), "+a"(from) : "r"(to) : "memory");
        return same;
    }
#endif
    return atomic_compare_exchange_strong_explicit(word, &from, to, memory_order_acq_rel,
                                                   memory_order_acquire);
}

#endif
