/*
 * Whether the calling thread is the process's only one, and an exchange that does for such a thread: without the
 * locked instruction, which waits until all that was stored before it has reached memory. See thread_local.h for
 * how one of two files is found.
 */
#ifndef RXPOOL_PLAT_ALONE_H
#define RXPOOL_PLAT_ALONE_H

#include <stdatomic.h>
#include <sys/single_threaded.h>

#include "base/base.h"

/* Where true, it stays so until the thread itself starts another one. Threads made behind libc's back are not seen. */
RXP_INLINE bool plat_is_alone(void) {
    return __libc_single_threaded;
}

/* *word becomes `to` if it is `from`; false else. Where plat_is_alone: a signal's handler sees either, or comes first. */
RXP_INLINE bool plat_exchange_alone(_Atomic uint64_t *word, uint64_t from, uint64_t to) {
#if defined(__x86_64__)
    bool same;
    __asm__("cmpxchgq %3, %1" : "=@ccz"(same), "+m"(*word), "+a"(from) : "r"(to) : "memory");
    return same;
#else
    return atomic_compare_exchange_strong_explicit(word, &from, to, memory_order_acq_rel,
                                                   memory_order_acquire);
#endif
}

#endif
