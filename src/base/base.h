/*
 * The lowest layer: what the compiler offers under one name, and assertions at their prices.
 * Includes nothing of the project.
 */
#ifndef RXPOOL_BASE_BASE_H
#define RXPOOL_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define RXP_LIKELY(x) __builtin_expect(!!(x), 1)
#define RXP_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define RXP_NOINLINE __attribute__((noinline))
#define RXP_COLD __attribute__((noinline, cold))
#define RXP_NORETURN __attribute__((noreturn))
#define RXP_INLINE static inline __attribute__((always_inline))
#define RXP_ALIGNED(n) __attribute__((aligned(n)))
#define RXP_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define RXP_RETURN_ADDRESS() __builtin_return_address(0)
#define RXP_PREFETCH(p) __builtin_prefetch(p)
/* A function that reads more than an object has, within a page that can be read. */
#define RXP_READS_BEYOND __attribute__((no_sanitize("address")))
#else
#define RXP_LIKELY(x) (x)
#define RXP_UNLIKELY(x) (x)
#define RXP_NOINLINE __declspec(noinline)
#define RXP_COLD __declspec(noinline)
#define RXP_NORETURN __declspec(noreturn)
#define RXP_INLINE static __forceinline
#define RXP_ALIGNED(n) __declspec(align(n))
#define RXP_PRINTF(f, a)
#define RXP_RETURN_ADDRESS() _ReturnAddress()
#define RXP_PREFETCH(p) ((void)(p))
#define RXP_READS_BEYOND
#endif

/* Part of a shared library's face. Windows images have a list of their exports instead. */
#if defined(__ELF__)
#define RXP_EXPORT __attribute__((visibility("default")))
#else
#define RXP_EXPORT
#endif

/* Data of our own that several files use: an access is one instruction, without a look where it lies. */
#if defined(__ELF__)
#define RXP_HIDDEN __attribute__((visibility("hidden")))
#else
#define RXP_HIDDEN
#endif

/*
 * A function that is called when the image is loaded, mostly before there is a second thread; where there is no
 * fork, for which alone it is there, nobody calls it.
 */
#if defined(__ELF__)
#define RXP_AT_LOAD __attribute__((constructor(101)))
#else
#define RXP_AT_LOAD
#endif

#define RXP_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Assertions at three prices.
 *   rxp_check  always there: a broken internal invariant stops the process with file and line;
 *   rxp_assert debug builds only (RXPOOL_DEBUG=1);
 *   walkers    expensive and explicit: engine_walk() and its like, called by tests.
 */
RXP_NORETURN RXP_COLD void rxp_broken(const char *expression, const char *file, int line);

#define rxp_check(e) (RXP_LIKELY(e) ? (void)0 : rxp_broken(#e, __FILE__, __LINE__))
#if RXPOOL_DEBUG
#define rxp_assert(e) rxp_check(e)
#else
#define rxp_assert(e) ((void)sizeof(!(e)))
#endif

/*
 * Adds to an _Atomic uint64_t that one thread writes and others read; released. On x86-64 one instruction of the three that
 * compilers make of an atomic load and store (its store is one access, and later than all before it). ThreadSanitizer sees
 * no assembly.
 */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_THREAD__)
#define RXP_COUNTER_ADD(counter, n)                                                                \
    __asm__ volatile("addq %1, %0"                                                                 \
                     : "+m"(*(volatile uint64_t *)(counter))                                       \
                     : "er"((uint64_t)(n))                                                         \
                     : "memory", "cc")
#else
#define RXP_COUNTER_ADD(counter, n)                                                                \
    atomic_store_explicit((counter), atomic_load_explicit((counter), memory_order_relaxed) + (n),  \
                          memory_order_release)
#endif

/* The same, and what the addition says of itself: whether it carried out of the word, or left its highest bit set. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_THREAD__)
#define RXP_COUNTER_ADD_ASKING(counter, n, condition)                                              \
    ({                                                                                             \
        bool is;                                                                                   \
        __asm__ volatile("addq %2, %0"                                                             \
                         : "+m"(*(uint64_t *)(counter)), "=@cc" condition(is)                      \
                         : "er"((uint64_t)(n))                                                     \
                         : "memory");                                                              \
        is;                                                                                        \
    })
#define RXP_COUNTER_ADD_CARRIES(counter, n) RXP_COUNTER_ADD_ASKING(counter, n, "c")
#define RXP_COUNTER_ADD_NEGATIVE(counter, n) RXP_COUNTER_ADD_ASKING(counter, n, "s")
#else
#define RXP_COUNTER_ADD_CARRIES(counter, n)                                                        \
    (RXP_COUNTER_ADD(counter, n), atomic_load_explicit((counter), memory_order_relaxed) < (n))
#define RXP_COUNTER_ADD_NEGATIVE(counter, n)                                                       \
    (RXP_COUNTER_ADD(counter, n), atomic_load_explicit((counter), memory_order_relaxed) >> 63 != 0)
#endif

/* Rounds up to a power of two; the caller sees to it that the sum does not wrap. */
RXP_INLINE uintptr_t rxp_round_up(uintptr_t value, uintptr_t power_of_two) {
    return (value + power_of_two - 1) & ~(power_of_two - 1);
}

#endif
