/*
 * A checked block's bytes in the common case, inline and 16 of them at a time: a small block whose header
 * begins the memory and whose memory ends where its last 16 bytes do. block.c has the general case, and says
 * what is damaged where a function here only says that something is.
 */
#ifndef RXPOOL_CHECK_BLOCK_WORDS_H
#define RXPOOL_CHECK_BLOCK_WORDS_H

#include "check/block.h"
#include "check/wide.h"

#define RXPOOL_CHECKED 1
#include <ntrxdef.h>

#define BLOCK_WORD sizeof(uint64_t)
#define BLOCK_WORD_OF(pattern) ((pattern)*0x0101010101010101u)

/*
 * The header as four words of 64 bits: written and compared as such, since fields of 32 bits that are
 * read back in pairs wait for each other's way to memory.
 */
struct block_header {
    uint64_t word[BLOCK_HEADER / BLOCK_WORD];
};

_Static_assert(offsetof(RX_POOL_HEADER, Signature) == 4 && offsetof(RX_POOL_HEADER, Size) == 8 &&
                   offsetof(RX_POOL_HEADER, Type) == 16 && offsetof(RX_POOL_HEADER, State) == 20 &&
                   offsetof(RX_POOL_HEADER, Back) == 24 && offsetof(RX_POOL_HEADER, Check) == 28,
               "the words below");

/*
 * The check word of everything but the state, in its place of a header's word. Over the address alone: what is wrong in
 * the fields is found by the comparison with the record, and the word need but tell a header from another block's.
 */
#define BLOCK_CHECK_BITS 0x00FFFFFF00000000u

RXP_INLINE uint64_t block_check_word(const struct record_info *info) {
    return (info->block * 0x9E3779B97F4A7C15u) & BLOCK_CHECK_BITS;
}

/*
 * With the state in it, the header's other half, and in its last byte a guard: right in front of the block a byte of the
 * check could be the very one that is wrongly written there.
 */
RXP_INLINE uint64_t block_state_word(uint64_t check, uint32_t state, uint32_t half) {
    uint64_t mixed = ((uint64_t)(state * 0x9E3779B1u) << 32) & BLOCK_CHECK_BITS;
    return check ^ (mixed | (uint64_t)BLOCK_GUARD << 56 | half);
}

/* The header that the block should have in the state; `check` is its block_check_word. */
RXP_INLINE struct block_header block_header_as(const struct record_info *info, uint64_t check,
                                               uint32_t state) {
    struct block_header h = {{info->tag | (uint64_t)RX_POOL_SIGNATURE << 32, info->size,
                              info->type | (uint64_t)state << 32,
                              block_state_word(check, state, info->back)}};
    return h;
}

/* The short one, in the first two words. */
RXP_INLINE struct block_header block_short_header_as(const struct record_info *info, uint64_t check,
                                                     uint32_t state) {
    struct block_header h = {
        {block_state_word(check, state, state), info->size | (uint64_t)BLOCK_GUARD << 56, 0, 0}};
    return h;
}

RXP_INLINE struct block_header *block_header_at(uint64_t block) {
    return (struct block_header *)((uintptr_t)block - BLOCK_HEADER);
}

RXP_INLINE uint64_t *block_short_header_at(uint64_t block) {
    return (uint64_t *)((uintptr_t)block - BLOCK_SHORT_HEADER);
}

/*
 * Whether the block's header is what it should be. Written out: as a loop it is compared as vectors, which wait for the
 * words to reach memory.
 */
RXP_INLINE bool block_header_is_whole(const struct record_info *info, uint64_t check,
                                      uint32_t state) {
    if (block_is_short(info)) {
        const struct block_header want = block_short_header_as(info, check, state);
        const uint64_t *have = block_short_header_at(info->block);
        return ((have[0] ^ want.word[0]) | (have[1] ^ want.word[1])) == 0;
    }
    const struct block_header want = block_header_as(info, check, state);
    const uint64_t *have = block_header_at(info->block)->word;
    return ((have[0] ^ want.word[0]) | (have[1] ^ want.word[1]) | (have[2] ^ want.word[2]) |
            (have[3] ^ want.word[3])) == 0;
}

RXP_INLINE void block_put_header(const struct record_info *info, uint64_t check, uint32_t state) {
    if (block_is_short(info)) {
        const struct block_header h = block_short_header_as(info, check, state);
        block_short_header_at(info->block)[0] = h.word[0];
        block_short_header_at(info->block)[1] = h.word[1];
    } else {
        *block_header_at(info->block) = block_header_as(info, check, state);
    }
}

/* The words that name the state; the others say what they said. */
RXP_INLINE void block_put_state(const struct record_info *info, uint64_t check, uint32_t state) {
    if (block_is_short(info)) {
        block_short_header_at(info->block)[0] = block_short_header_as(info, check, state).word[0];
    } else {
        const struct block_header h = block_header_as(info, check, state);
        block_header_at(info->block)->word[2] = h.word[2];
        block_header_at(info->block)->word[3] = h.word[3];
    }
}

/* What a header says of its block's state, if there is one. */
RXP_INLINE uint32_t block_state_at(const struct record_info *info) {
    return block_is_short(info) ? (uint32_t)block_short_header_at(info->block)[0]
                                : (uint32_t)(block_header_at(info->block)->word[2] >> 32);
}

/* Larger blocks are filled and compared out of line: their bytes cost more than a call does. */
#define BLOCK_UNITS_MOST 1024u

#define BLOCK_UNIT sizeof(wide)

/*
 * Whether the functions below may be used for it: info->plain. Then size / BLOCK_UNIT units are the caller's alone, and
 * one more has the rest of the caller's bytes (none to 15) and the guard: no guard is longer than a unit.
 */
RXP_INLINE bool block_suits_words(const struct record_info *info) {
    return info->back == block_header_bytes(info) && info->kind == RECORD_POOL &&
           info->tail <= BLOCK_UNIT && info->size <= BLOCK_UNITS_MOST;
}

RXP_INLINE wide *block_unit_at(uint64_t address) {
    return (wide *)(uintptr_t)address;
}

/* Where in the last unit the guard begins. */
RXP_INLINE unsigned block_guard_at(const struct record_info *info) {
    return (unsigned)info->size % BLOCK_UNIT;
}

/* Its bits there. */
RXP_INLINE wide block_guard_mask(const struct record_info *info) {
    return wide_mask_from(block_guard_at(info));
}

RXP_INLINE uint64_t block_last_unit(const struct record_info *info) {
    return info->block + info->size / BLOCK_UNIT * BLOCK_UNIT;
}

/* Where what fills four units at a time ends. */
RXP_INLINE wide *block_end_of_fours(const struct record_info *info) {
    return block_unit_at(info->block + info->size / (4 * BLOCK_UNIT) * (4 * BLOCK_UNIT));
}

/* The last unit of a block whose own bytes hold the pattern. */
RXP_INLINE wide block_last_as(const struct record_info *info, uint64_t pattern) {
    return wide_mix(wide_of(pattern), wide_of(BLOCK_WORD_OF(BLOCK_GUARD)), block_guard_mask(info));
}

/* The guard alone; the caller's bytes in front of it stay. */
RXP_INLINE void block_put_guard(const struct record_info *info) {
    wide *last = block_unit_at(block_last_unit(info));
    *last = wide_mix(*last, wide_of(BLOCK_WORD_OF(BLOCK_GUARD)), block_guard_mask(info));
}

RXP_INLINE bool block_guard_is_whole(const struct record_info *info) {
    return wide_are_same_from(*block_unit_at(block_last_unit(info)),
                              wide_of(BLOCK_WORD_OF(BLOCK_GUARD)), block_guard_at(info));
}

/* The bits in which four units differ from another. */
RXP_INLINE wide block_changed_of_four(const wide *at, wide unit) {
    wide one = wide_or(wide_xor(at[0], unit), wide_xor(at[1], unit));
    wide two = wide_or(wide_xor(at[2], unit), wide_xor(at[3], unit));
    return wide_or(one, two);
}

RXP_INLINE bool block_four_are(uint64_t address, wide unit) {
    return wide_is_zero(block_changed_of_four(block_unit_at(address), unit));
}

/* All units but the last. The one to three behind the fours not in a loop: it would be made a call of memset. */
RXP_INLINE void block_put_units(const struct record_info *info, wide unit) {
    wide *at = block_unit_at(info->block), *end = block_end_of_fours(info);
    for (; at != end; at += 4)
        at[0] = at[1] = at[2] = at[3] = unit;
    if (info->size & 2 * BLOCK_UNIT) {
        at[0] = at[1] = unit;
        at += 2;
    }
    if (info->size & BLOCK_UNIT)
        at[0] = unit;
}

/* The block's own bytes and the guard behind them: stores alone, one a unit. */
RXP_INLINE void block_put_pattern(const struct record_info *info, uint64_t pattern) {
    block_put_units(info, wide_of(pattern));
    *block_unit_at(block_last_unit(info)) = block_last_as(info, pattern);
}

/*
 * The block's own bytes alone, by whole words: of the guard, which was looked at a moment ago, only what
 * shares the last one is written again. Another thread may be writing there, and the rest shall show it.
 */
RXP_INLINE void block_put_freed(const struct record_info *info) {
    uint64_t *at = (uint64_t *)(uintptr_t)block_last_unit(info);
    uint64_t freed = BLOCK_WORD_OF(BLOCK_FREED), guard = BLOCK_WORD_OF(BLOCK_GUARD);
    block_put_units(info, wide_of(freed));
    if (info->size & BLOCK_WORD)
        *at++ = freed;
    if (info->size % BLOCK_WORD != 0) {
        uint64_t mask = ((uint64_t)1 << info->size % BLOCK_WORD * 8) - 1;
        *at = (freed & mask) | (guard & ~mask);
    }
}

/* The header and the guard of a block that is handed out, and where asked the block's own bytes. */
RXP_INLINE void block_put_live_as(const struct record_info *info, bool fill, uint64_t pattern) {
    block_put_header(info, block_check_word(info), RX_POOL_STATE_ALLOCATED);
    if (fill)
        block_put_pattern(info, pattern);
    else
        block_put_guard(info);
}

RXP_INLINE void block_put_live(const struct record_info *info, bool fill) {
    block_put_live_as(info, fill, BLOCK_WORD_OF(BLOCK_FRESH));
}

/* Whether the block's own bytes hold the pattern and the guard behind them is whole. */
RXP_INLINE bool block_pattern_is_whole(const struct record_info *info, uint64_t pattern) {
    wide unit = wide_of(pattern);
    const wide *at = block_unit_at(info->block), *end = block_end_of_fours(info);
    wide changed = wide_xor(*block_unit_at(block_last_unit(info)), block_last_as(info, pattern));
    for (; at != end; at += 4)
        changed = wide_or(changed, block_changed_of_four(at, unit));
    if (info->size & 2 * BLOCK_UNIT) {
        changed = wide_or(changed, wide_or(wide_xor(at[0], unit), wide_xor(at[1], unit)));
        at += 2;
    }
    if (info->size & BLOCK_UNIT)
        changed = wide_or(changed, wide_xor(at[0], unit));
    return wide_is_zero(changed);
}

/* Whether nothing was written around a block that is handed out. */
RXP_INLINE bool block_live_is_whole(const struct record_info *info) {
    return block_header_is_whole(info, block_check_word(info), RX_POOL_STATE_ALLOCATED) &&
           block_guard_is_whole(info);
}

/* Marks such a block as freed, and where asked fills it. */
RXP_INLINE void block_put_ended(const struct record_info *info, bool fill) {
    block_put_state(info, block_check_word(info), RX_POOL_STATE_FREED);
    if (RXP_LIKELY(fill))
        block_put_freed(info);
}

/* Whether nothing was written to a block, or around it, since then. */
RXP_INLINE bool block_freed_is_whole(const struct record_info *info, bool filled) {
    return block_header_is_whole(info, block_check_word(info), RX_POOL_STATE_FREED) &&
           (filled ? block_pattern_is_whole(info, BLOCK_WORD_OF(BLOCK_FREED))
                   : block_guard_is_whole(info));
}

#endif
