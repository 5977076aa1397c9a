/* 16 bytes at a time, in one register where the compiler has such. */
#ifndef RXPOOL_CHECK_WIDE_H
#define RXPOOL_CHECK_WIDE_H

#include "base/base.h"

#if defined(__GNUC__) || defined(__clang__)
typedef uint64_t wide __attribute__((vector_size(16), may_alias));
typedef uint64_t wide_anywhere __attribute__((vector_size(16), may_alias, aligned(1)));

RXP_INLINE wide wide_of(uint64_t word) {
    return (wide){word, word};
}

RXP_INLINE wide wide_load(const unsigned char *at) {
    return *(const wide_anywhere *)at;
}

RXP_INLINE wide wide_or(wide a, wide b) {
    return a | b;
}

RXP_INLINE wide wide_xor(wide a, wide b) {
    return a ^ b;
}

/* a where the mask's bits are 0, b where they are 1. */
RXP_INLINE wide wide_mix(wide a, wide b, wide mask) {
    return (a & ~mask) | (b & mask);
}

RXP_INLINE bool wide_is_zero(wide a) {
    return (a[0] | a[1]) == 0;
}
#else
typedef struct {
    uint64_t word[2];
} wide;

RXP_INLINE wide wide_of(uint64_t word) {
    wide u = {{word, word}};
    return u;
}

RXP_INLINE wide wide_load(const unsigned char *at) {
    return *(const wide *)at; /* such compilers' targets read words anywhere */
}

RXP_INLINE wide wide_or(wide a, wide b) {
    wide u = {{a.word[0] | b.word[0], a.word[1] | b.word[1]}};
    return u;
}

RXP_INLINE wide wide_xor(wide a, wide b) {
    wide u = {{a.word[0] ^ b.word[0], a.word[1] ^ b.word[1]}};
    return u;
}

RXP_INLINE wide wide_mix(wide a, wide b, wide mask) {
    wide u = {{(a.word[0] & ~mask.word[0]) | (b.word[0] & mask.word[0]),
               (a.word[1] & ~mask.word[1]) | (b.word[1] & mask.word[1])}};
    return u;
}

RXP_INLINE bool wide_is_zero(wide a) {
    return (a.word[0] | a.word[1]) == 0;
}
#endif

/* Bits set in the bytes from `first` on. */
RXP_INLINE wide wide_mask_from(unsigned first) {
    static const unsigned char ramp[2 * sizeof(wide)] = {
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0,    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    return wide_load(&ramp[sizeof(wide) - first]);
}

/* Whether the bytes of both from `first` on (below 16) are the same. */
#if defined(__GNUC__) && defined(__SSE2__)
typedef char wide_bytes __attribute__((vector_size(16)));

RXP_INLINE bool wide_are_same_from(wide a, wide b, unsigned first) {
    uint32_t same = (uint32_t)__builtin_ia32_pmovmskb128((wide_bytes)a == (wide_bytes)b);
    return (same ^ 0xFFFF) >> first == 0;
}
#else
RXP_INLINE bool wide_are_same_from(wide a, wide b, unsigned first) {
    return wide_is_zero(wide_mix(wide_of(0), wide_xor(a, b), wide_mask_from(first)));
}
#endif

#endif
