/*
 * The picture of a checked block.
 *
 *   handed out by the pool                                     the caller's pointer
 *   v                                                          v
 *   | tag | slack: guard bytes (where there are any) | RX_POOL_HEADER | Size bytes | guard bytes |
 *   |<------------------------ back ------------------------->|            |<-- tail --->|
 *
 *   back  at least the header's 32 bytes; more where alignment or the page rule moves the block: then
 *         the tag stands at the beginning of the memory as well as at the beginning of the header
 *   tail  to the last byte requested from the pool, at least one
 *
 * A block between guard pages (kind RECORD_GUARDED) has whole pages, and lies against one of the guards:
 *
 *   special_side=over     | tag | slack ... | RX_POOL_HEADER | Size bytes | 0 to 15 | guard page |
 *   special_side=exact    | tag | slack ...         | RX_POOL_HEADER | Size bytes | guard page |
 *   special_side=under    | guard page | Size bytes | guard bytes to the end of the page |
 *
 * so that its tail may be 0, its header unaligned, and with `under` there is no room for a header: back
 * is 0, and the record alone tells what the block is. It is not held: the pool keeps freed pages
 * inaccessible, which stops what the quarantine would find later.
 *
 * A small block of a heap's (family not 0), of which a program has many, has a header of 16 bytes instead. What that
 * leaves out the record alone says:
 *
 *   | state | check word | size, and a guard byte |
 *
 * For the caller's pointer: a page or more is page-aligned, less lies within one page, CacheAligned
 * types start on a cache line, everything is BLOCK_ALIGNMENT aligned. Where the pool below keeps these rules
 * the plan is exact; a pool that does not is asked for more, and the block is moved within it.
 */
#ifndef RXPOOL_CHECK_BLOCK_H
#define RXPOOL_CHECK_BLOCK_H

#include "check/registry.h"

#define BLOCK_ALIGNMENT (2 * sizeof(void *)) /* the pool's: 16 bytes, 8 in a 32-bit kernel */
#define BLOCK_CACHE_LINE ((size_t)64)
#define BLOCK_HEADER ((size_t)32) /* sizeof(RX_POOL_HEADER) */
#define BLOCK_SHORT_HEADER ((size_t)16)
#define BLOCK_SHORT_BELOW 96u /* bytes of a heap's block */

/* The patterns: bytes that are no text, no small number and no plausible pointer. */
#define BLOCK_GUARD 0xBDu /* guard bytes */
#define BLOCK_FRESH 0xC5u /* handed out, not yet written */
#define BLOCK_FREED 0xDFu /* freed, in the quarantine */

enum damage_kind {
    DAMAGE_NONE,
    DAMAGE_HEADER,
    DAMAGE_UNDERRUN,
    DAMAGE_OVERRUN,
    DAMAGE_AFTER_FREE,
};

/* The first damaged byte, and what should be there. */
struct damage {
    enum damage_kind kind;
    uint64_t at;    /* address */
    uint32_t bytes; /* from the first damaged byte to the last of its region */
    unsigned char expected[32];
    uint32_t expected_bytes; /* valid in `expected`; the last one repeats */
};

/* Whether the block has the short header. */
RXP_INLINE bool block_is_short(const struct record_info *info) {
    return info->family != 0 && info->size < BLOCK_SHORT_BELOW;
}

RXP_INLINE size_t block_header_bytes(const struct record_info *info) {
    return block_is_short(info) ? BLOCK_SHORT_HEADER : BLOCK_HEADER;
}

/*
 * Bytes of a block that was moved in its memory, and its guard, at least. So many that no plain block,
 * which follows right behind the guard, begins in the granule that the registry knows this one by.
 */
RXP_INLINE size_t block_behind(size_t size) {
    return size + 1 < REGISTRY_GRANULE ? REGISTRY_GRANULE : size + 1;
}
/* Bytes to request for a block; `exact` while the pool keeps the rules of alignment. */
size_t block_request(size_t size, size_t alignment, bool exact);
/* The caller's pointer in `request` bytes at `start`; 0 where the rules cannot be met. */
uintptr_t block_place(uintptr_t start, size_t request, size_t size, size_t alignment);
/* Writes the tag, header and guard of a live block. `header_state` is an RX_POOL_STATE_ value. */
void block_write(const struct record_info *info, uint32_t header_state);
/* Whether the bytes that a check reads can be read: the owner of a large or a signed block may have seen to that. */
bool block_is_readable(const struct record_info *info);
/* Marks the header as freed and, where asked, fills the caller's bytes. */
void block_retire(const struct record_info *info, bool fill);
/* Fills `bytes` bytes of fresh memory. */
void block_fill_fresh(const struct record_info *info);
/* Checks header, slack and guard of a live block. */
void block_check_live(const struct record_info *info, uint32_t header_state, struct damage *out);
/* The same of a freed one, and its fill. */
void block_check_freed(const struct record_info *info, bool filled, struct damage *out);

#endif
