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
#define RXP_INLINE static inline __attribute__((always_inline))
#define RXP_ALIGNED(n) __attribute__((aligned(n)))
#define RXP_EXPORT __attribute__((visibility("default")))
#define RXP_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define RXP_RETURN_ADDRESS() __builtin_return_address(0)
#define RXP_PREFETCH(p) __builtin_prefetch(p)
#else
#define RXP_LIKELY(x) (x)
#define RXP_UNLIKELY(x) (x)
#define RXP_NOINLINE __declspec(noinline)
#define RXP_COLD __declspec(noinline)
#define RXP_INLINE static __forceinline
#define RXP_ALIGNED(n) __declspec(align(n))
#define RXP_EXPORT
#define RXP_PRINTF(f, a)
#define RXP_RETURN_ADDRESS() _ReturnAddress()
#define RXP_PREFETCH(p) ((void)(p))
#endif

#define RXP_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Assertions at three prices.
 *   rxp_check  always there: a broken internal invariant stops the process with file and line;
 *   rxp_assert debug builds only (RXPOOL_DEBUG=1);
 *   walkers    expensive and explicit: engine_walk() and its like, called by tests.
 */
#if defined(__GNUC__) || defined(__clang__)
__attribute__((noreturn, cold))
#endif
void rxp_broken(const char *expression, const char *file, int line);

#define rxp_check(e) (RXP_LIKELY(e) ? (void)0 : rxp_broken(#e, __FILE__, __LINE__))
#if RXPOOL_DEBUG
#define rxp_assert(e) rxp_check(e)
#else
#define rxp_assert(e) ((void)sizeof(!(e)))
#endif

/* Rounds up to a power of two; the caller sees to it that the sum does not wrap. */
RXP_INLINE uintptr_t rxp_round_up(uintptr_t value, uintptr_t power_of_two) {
    return (value + power_of_two - 1) & ~(power_of_two - 1);
}

#endif
