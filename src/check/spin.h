/*
 * The lock of a shard: held for some tens of instructions and taken on every call, so its release is a
 * plain store (a lock that can sleep needs an atomic operation there too, a fifth of a checked call).
 */
#ifndef RXPOOL_CHECK_SPIN_H
#define RXPOOL_CHECK_SPIN_H

#include <stdatomic.h>

#include "plat/plat.h"

#define SPIN_TRIES 100u

struct spin {
    _Atomic bool held;
};

RXP_INLINE void spin_acquire(struct spin *lock) {
    for (unsigned tries = 0;
         RXP_UNLIKELY(atomic_exchange_explicit(&lock->held, true, memory_order_acquire)); tries++) {
        while (atomic_load_explicit(&lock->held, memory_order_relaxed)) {
            if (tries++ > SPIN_TRIES)
                plat_yield();
        }
    }
}

RXP_INLINE void spin_release(struct spin *lock) {
    atomic_store_explicit(&lock->held, false, memory_order_release);
}

#endif
