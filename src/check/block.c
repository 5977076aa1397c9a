/* A checked block's bytes: see block.h. Nothing here takes a lock or knows the registry. */
#include "check/block_words.h"
#include "plat/plat.h"

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
    size_t request, behind = block_behind(size);
    if (!exact)
        request = lead(alignment) + alignment + (size < PAGE_SIZE ? size : PAGE_SIZE) + behind;
    else if (lead(alignment) + behind <= PAGE_SIZE)
        request = lead(alignment) + behind;
    else
        request = PAGE_SIZE + behind; /* the header lies in the page before the block's */
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
    memset((void *)at, pattern, bytes); /* not a loop: a sanitizer is called for each access */
}

/* The first address in [at, at + bytes) that does not hold the pattern; the end where all do. */
static uintptr_t first_changed(uintptr_t at, size_t bytes, unsigned char pattern) {
    const uint64_t eight = pattern * (uint64_t)0x0101010101010101u;
    uintptr_t end = at + bytes;
    while (at < end && at % BLOCK_UNIT != 0 && *(const unsigned char *)at == pattern)
        at++;
    if (at % BLOCK_UNIT == 0) {
        while (end - at >= 4 * BLOCK_UNIT && block_four_are(at, wide_of(eight)))
            at += 4 * BLOCK_UNIT;
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
    /* Another thread may write the pattern back meanwhile. */
    while (last > changed + 1 && *(const unsigned char *)(last - 1) == pattern)
        last--;
    out->kind = kind;
    out->at = changed;
    out->bytes = (uint32_t)(last - changed);
    out->expected[0] = pattern;
    out->expected_bytes = 1;
}

/* --- header ---------------------------------------------------------------------------------- */

static struct block_header make_header(const struct record_info *info, uint32_t state) {
    uint64_t check = block_check_word(info);
    return block_is_short(info) ? block_short_header_as(info, check, state)
                                : block_header_as(info, check, state);
}

static unsigned char *header_of(const struct record_info *info) {
    return (unsigned char *)((uintptr_t)info->block - block_header_bytes(info));
}

static void write_header(const struct record_info *info, uint32_t state) {
    const struct block_header header = make_header(info, state);
    if (RXP_UNLIKELY(info->back == 0))
        return;
    if (block_is_short(info))
        __builtin_memcpy(header_of(info), &header, BLOCK_SHORT_HEADER);
    else
        __builtin_memcpy(header_of(info), &header, BLOCK_HEADER);
}

static void check_header(const struct record_info *info, uint32_t state, struct damage *out) {
    const struct block_header want = make_header(info, state);
    const unsigned char *is = header_of(info), *should = (const unsigned char *)&want;
    uint32_t first = 0, last = (uint32_t)block_header_bytes(info);
    while (first < last && is[first] == should[first])
        first++;
    if (RXP_LIKELY(first == last))
        return;
    while (last > first + 1 && is[last - 1] == should[last - 1])
        last--;
    out->kind = DAMAGE_HEADER;
    out->at = (uintptr_t)is + first;
    out->bytes = last - first;
    out->expected_bytes = last - first;
    for (uint32_t i = 0; i < last - first; i++)
        out->expected[i] = should[first + i];
}

/* --- the whole block ------------------------------------------------------------------------- */

/* Bytes of a tag at the beginning of the slack: a guarded block may have too little for one. */
static size_t slack_tag(size_t slack) {
    return slack >= sizeof(uint32_t) ? sizeof(uint32_t) : 0;
}

/* The tag at the beginning of the memory and the slack behind it, where the header does not begin it. */
static void check_slack(const struct record_info *info, struct damage *out) {
    uintptr_t start = (uintptr_t)info->block - info->back;
    size_t slack = info->back - block_header_bytes(info), tag = slack_tag(slack);
    check_pattern(start + tag, slack - tag, BLOCK_GUARD, DAMAGE_UNDERRUN, out);
    if (tag == 0 || *(const uint32_t *)start == info->tag)
        return;
    out->kind = DAMAGE_UNDERRUN;
    out->at = start;
    out->bytes = out->expected_bytes = sizeof(uint32_t);
    for (unsigned i = 0; i < sizeof(uint32_t); i++)
        out->expected[i] = (unsigned char)(info->tag >> 8 * i);
}

void block_write(const struct record_info *info, uint32_t header_state) {
    uintptr_t block = (uintptr_t)info->block, start = block - info->back;
    if (info->back > block_header_bytes(info)) {
        size_t slack = info->back - block_header_bytes(info);
        if (slack_tag(slack) != 0)
            *(uint32_t *)start = info->tag;
        fill(start + slack_tag(slack), slack - slack_tag(slack), BLOCK_GUARD);
    }
    write_header(info, header_state);
    fill(block + info->size, info->tail, BLOCK_GUARD);
}

static bool can_read(uintptr_t at) {
    unsigned char byte;
    return plat_read_memory((const void *)at, &byte, sizeof byte);
}

/* Of a block in the quarantine the bytes are checked as well. */
bool block_is_readable(const struct record_info *info) {
    uintptr_t start = (uintptr_t)info->block - info->back;
    uintptr_t end = (uintptr_t)info->block + info->size + info->tail;
    if (RXP_LIKELY(info->kind != RECORD_SIGNED && info->size < PAGE_SIZE))
        return true;
    bool whole = info->back == 0 || (can_read(start) && can_read((uintptr_t)info->block - 1));
    for (uintptr_t at = start; whole && info->state == RECORD_HELD && at < end; at += PAGE_SIZE)
        whole = can_read(at);
    if (info->tail != 0)
        whole = whole && can_read(end - info->tail) && can_read(end - 1);
    /* Where the system does not allow the question the answer says nothing. */
    return whole || !can_read((uintptr_t)&start);
}

void block_fill_fresh(const struct record_info *info) {
    fill((uintptr_t)info->block, info->size, BLOCK_FRESH);
}

void block_retire(const struct record_info *info, bool fill_bytes) {
    write_header(info, RX_POOL_STATE_FREED);
    if (fill_bytes)
        fill((uintptr_t)info->block, info->size, BLOCK_FREED);
}

void block_check_live(const struct record_info *info, uint32_t header_state, struct damage *out) {
    out->kind = DAMAGE_NONE;
    check_pattern((uintptr_t)info->block + info->size, info->tail, BLOCK_GUARD, DAMAGE_OVERRUN,
                  out);
    if (info->back > block_header_bytes(info))
        check_slack(info, out);
    if (info->back != 0)
        check_header(info, header_state, out);
}

void block_check_freed(const struct record_info *info, bool filled, struct damage *out) {
    block_check_live(info, RX_POOL_STATE_FREED, out);
    if (filled)
        check_pattern((uintptr_t)info->block, info->size, BLOCK_FREED, DAMAGE_AFTER_FREE, out);
    if (out->kind != DAMAGE_NONE)
        out->kind = DAMAGE_AFTER_FREE;
}
