/* A checked block's bytes: see block.h. Nothing here takes a lock or knows the registry. */
#include "check/block.h"

#define RXPOOL_CHECKED 1
#include <ntrxdef.h>

_Static_assert(sizeof(RX_POOL_HEADER) == BLOCK_HEADER,
               "the header keeps the block 16-byte aligned");

/* --- placement ------------------------------------------------------------------------------- */

/* Bytes before the block where the pool's memory starts as aligned as the block must be. */
static size_t lead(size_t alignment) {
    return rxp_round_up(BLOCK_HEADER, alignment);
}

static bool within_page(uintptr_t start, size_t size) {
    return start / PAGE_SIZE == (start + size - 1) / PAGE_SIZE;
}

size_t block_request(size_t size, size_t alignment, bool exact) {
    size_t request;
    if (!exact)
        request = lead(alignment) + alignment + (size < PAGE_SIZE ? size : PAGE_SIZE) + size + 1;
    else if (lead(alignment) + size + 1 <= PAGE_SIZE)
        request = lead(alignment) + size + 1;
    else
        request = PAGE_SIZE + size + 1; /* the header lies in the page before the block's */
    return rxp_round_up(request, BLOCK_ALIGNMENT);
}

uintptr_t block_place(uintptr_t start, size_t request, size_t size, size_t alignment) {
    uintptr_t block = rxp_round_up(start + BLOCK_HEADER, size < PAGE_SIZE ? alignment : PAGE_SIZE);
    if (size < PAGE_SIZE && !within_page(block, size))
        block = rxp_round_up(block, PAGE_SIZE);
    return block + size + 1 <= start + request ? block : 0;
}

/* --- patterns -------------------------------------------------------------------------------- */

static void fill(uintptr_t at, size_t bytes, unsigned char pattern) {
    unsigned char *p = (unsigned char *)at;
    for (size_t i = 0; i < bytes; i++)
        p[i] = pattern;
}

/* The first address in [at, at + bytes) that does not hold the pattern; the end where all do. */
static uintptr_t first_changed(uintptr_t at, size_t bytes, unsigned char pattern) {
    const uint64_t eight = pattern * (uint64_t)0x0101010101010101u;
    uintptr_t end = at + bytes;
    while (at < end && at % sizeof eight != 0 && *(const unsigned char *)at == pattern)
        at++;
    if (at % sizeof eight == 0) {
        while (end - at >= sizeof eight && *(const uint64_t *)at == eight)
            at += sizeof eight;
    }
    while (at < end && *(const unsigned char *)at == pattern)
        at++;
    return at;
}

/* Reports into *out when a byte of the region has changed and nothing was found before. */
static void check_pattern(uintptr_t at, size_t bytes, unsigned char pattern, enum damage_kind kind,
                          struct damage *out) {
    uintptr_t changed = first_changed(at, bytes, pattern), last = at + bytes;
    if (RXP_LIKELY(changed == last))
        return;
    while (*(const unsigned char *)(last - 1) == pattern)
        last--;
    out->kind = kind;
    out->at = changed;
    out->bytes = (uint32_t)(last - changed);
    out->expected[0] = pattern;
    out->expected_bytes = 1;
}

/* --- header ---------------------------------------------------------------------------------- */

/*
 * The header as four words of 64 bits: written and compared as such, since fields of 32 bits that are
 * read back in pairs cost more than all the rest of the comparison.
 */
struct header_words {
    uint64_t word[BLOCK_HEADER / sizeof(uint64_t)];
};

_Static_assert(offsetof(RX_POOL_HEADER, Signature) == 4 && offsetof(RX_POOL_HEADER, Size) == 8 &&
                   offsetof(RX_POOL_HEADER, Type) == 16 && offsetof(RX_POOL_HEADER, State) == 20 &&
                   offsetof(RX_POOL_HEADER, Back) == 24 && offsetof(RX_POOL_HEADER, Check) == 28,
               "the words below");

static uint64_t pair(uint32_t low, uint32_t high) {
    return low | (uint64_t)high << 32;
}

/* The header that the block should have. */
static struct header_words make_header(const struct record_info *info, uint32_t state) {
    struct header_words h = {
        {pair(info->tag, RX_POOL_SIGNATURE), info->size, pair(info->type, state), info->back}};
    uint64_t x = (h.word[0] ^ info->block) * 0x9E3779B97F4A7C15u ^ h.word[1];
    x = (x ^ x >> 29) * 0xBF58476D1CE4E5B9u ^ h.word[2];
    x = (x ^ x >> 32) * 0x94D049BB133111EBu + h.word[3];
    h.word[3] |= x >> 32 << 32;
    return h;
}

static struct header_words *header_of(const struct record_info *info) {
    return (struct header_words *)((uintptr_t)info->block - BLOCK_HEADER);
}

static RXP_COLD void locate_header_damage(const struct header_words *have,
                                          const struct header_words *want, struct damage *out) {
    const unsigned char *is = (const unsigned char *)have, *should = (const unsigned char *)want;
    uint32_t first = 0, last = BLOCK_HEADER;
    while (is[first] == should[first])
        first++;
    while (is[last - 1] == should[last - 1])
        last--;
    out->kind = DAMAGE_HEADER;
    out->at = (uintptr_t)(is + first);
    out->bytes = last - first;
    out->expected_bytes = last - first;
    for (uint32_t i = 0; i < last - first; i++)
        out->expected[i] = should[first + i];
}

static void check_header(const struct record_info *info, uint32_t state, struct damage *out) {
    const struct header_words want = make_header(info, state), *have = header_of(info);
    /* Written out: as a loop it is compared as vectors, which wait for the words to reach memory. */
    uint64_t changed = (have->word[0] ^ want.word[0]) | (have->word[1] ^ want.word[1]) |
                       (have->word[2] ^ want.word[2]) | (have->word[3] ^ want.word[3]);
    if (RXP_UNLIKELY(changed != 0))
        locate_header_damage(have, &want, out);
}

/* --- the whole block ------------------------------------------------------------------------- */

/* The tag at the beginning of the memory and the slack behind it, where the header does not begin it. */
static void check_slack(const struct record_info *info, struct damage *out) {
    uintptr_t start = (uintptr_t)info->block - info->back;
    size_t slack = info->back - BLOCK_HEADER;
    check_pattern(start + sizeof(uint32_t), slack - sizeof(uint32_t), BLOCK_GUARD, DAMAGE_UNDERRUN,
                  out);
    if (*(const uint32_t *)start == info->tag)
        return;
    out->kind = DAMAGE_UNDERRUN;
    out->at = start;
    out->bytes = out->expected_bytes = sizeof(uint32_t);
    for (unsigned i = 0; i < sizeof(uint32_t); i++)
        out->expected[i] = (unsigned char)(info->tag >> 8 * i);
}

void block_write(const struct record_info *info, uint32_t header_state) {
    uintptr_t block = (uintptr_t)info->block, start = block - info->back;
    size_t slack = info->back - BLOCK_HEADER;
    if (slack != 0) {
        *(uint32_t *)start = info->tag;
        fill(start + sizeof(uint32_t), slack - sizeof(uint32_t), BLOCK_GUARD);
    }
    *header_of(info) = make_header(info, header_state);
    fill(block + info->size, info->tail, BLOCK_GUARD);
}

void block_fill_fresh(const struct record_info *info) {
    fill((uintptr_t)info->block, info->size, BLOCK_FRESH);
}

void block_retire(const struct record_info *info, bool fill_bytes) {
    *header_of(info) = make_header(info, RX_POOL_STATE_FREED);
    if (fill_bytes)
        fill((uintptr_t)info->block, info->size, BLOCK_FREED);
}

void block_check_live(const struct record_info *info, uint32_t header_state, struct damage *out) {
    out->kind = DAMAGE_NONE;
    check_pattern((uintptr_t)info->block + info->size, info->tail, BLOCK_GUARD, DAMAGE_OVERRUN,
                  out);
    if (info->back != BLOCK_HEADER)
        check_slack(info, out);
    check_header(info, header_state, out);
}

void block_check_freed(const struct record_info *info, bool filled, struct damage *out) {
    block_check_live(info, RX_POOL_STATE_FREED, out);
    if (filled)
        check_pattern((uintptr_t)info->block, info->size, BLOCK_FREED, DAMAGE_AFTER_FREE, out);
    if (out->kind != DAMAGE_NONE)
        out->kind = DAMAGE_AFTER_FREE;
}
