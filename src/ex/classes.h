/*
 * Size classes. POOL obeys the page rule: up to 4096 bytes a block lies within one page, laid out
 * from the page's start; page multiples up to 32 KiB are page-aligned. DENSE has no such rule and an eighth
 * between neighbours at most, up to 8 KiB; its largest blocks have a slab each, of whose pages they touch what they need.
 *
 *   unit   what blocks are laid out from: a page (unit_mask 0xFFF) or the whole slab (0xFFFF)
 *   step   blocks carved at a time: about a page's worth, so that untouched pages stay untouched
 */
#ifndef RXPOOL_EX_CLASSES_H
#define RXPOOL_EX_CLASSES_H

#include "ex/engine.h"

/*
 * Block i of a unit starts at offset i * size, and i * size * reciprocal = i * 2^32 + i * excess with
 * excess = size * reciprocal - 2^32 < size. So an offset starts a block iff (uint32_t)(offset * reciprocal) is at most
 * limit = (per_unit - 1) * excess: other offsets leave at least reciprocal - excess, which is more, and what a unit has left over
 * behind its last block would be i = per_unit. One multiply and one compare answer for both.
 */
RXP_INLINE bool class_starts_block(uint32_t reciprocal, uint32_t limit, uint32_t offset) {
    return offset * reciprocal <= limit;
}

#define CLASSES_MAX 64
/* The class of a size: classes_of[layout][(size + 15) / 16]. */
#define CLASS_MAP_SIZE (SLAB_BLOCK_MAX_DENSE / 16 + 1)
#define CLASS_ALIGNMENT_SHIFT 16 /* of the largest block */

struct class_info {
    uint32_t block_size;
    uint32_t reciprocal; /* ceil(2^32 / block_size) */
    uint16_t unit_mask;
    uint16_t
        limit; /* what the last block's offset times reciprocal leaves below 2^32: class_starts_block */
    uint16_t per_unit; /* blocks in a unit */
    uint16_t step;     /* blocks carved at a time; divides or equals per_unit for page units */
    uint16_t capacity; /* blocks in a slab */
    uint16_t carvings; /* what slab.carved comes to: units, or blocks where the slab is one unit */
    uint16_t eighth;   /* of them, or 1: so many come back before a full slab returns to its bin */
};

struct classes {
    uint8_t of[2][CLASS_MAP_SIZE];
    uint8_t count[2];
    struct class_info info[2][CLASSES_MAX];
    /* From a class up, the first whose blocks all lie at multiples of 2^n; CLASS_SPECIAL where there is none. */
    uint8_t aligned[2][CLASS_ALIGNMENT_SHIFT + 1][CLASSES_MAX];
    uint8_t special[2];  /* the class of the size that special= names */
    size_t special_size; /* its largest; 0 none */
};

extern struct classes engine_classes;

/* Fills the tables; once, before any other use. */
void classes_init(void);
/* No class: the fast paths find no block there, whatever the bin. Sizes that special= names lead to it. */
#define CLASS_SPECIAL (CLASSES_MAX - 1)
/* The class of a size up to slab_block_max, for the slow paths. */
unsigned classes_of(enum class_layout layout, size_t size);
/* Whether special= names the size: the classes of 16 bytes that GFlags counts with a header of 16. */
bool classes_special(size_t size);
/* The same for blocks that all lie at multiples of `alignment`, a power of two; of any size. -1 when there is none. */
int classes_aligned(enum class_layout layout, size_t size, size_t alignment);
/* The same for sizes up to slab_block_max and alignments up to it; CLASS_SPECIAL where there is none, or special= names the size. */
RXP_INLINE unsigned classes_aligned_fast(enum class_layout layout, size_t size, size_t alignment) {
    unsigned shift = (unsigned)__builtin_ctzll(alignment);
    return engine_classes.aligned[layout][shift][engine_classes.of[layout][(size + 15) >> 4]];
}

/* Index of the block at offset `offset` of its slab. */
RXP_INLINE unsigned class_index(const struct class_info *c, unsigned offset) {
    unsigned unit = c->unit_mask == 0xFFFF ? 0 : offset >> POOL_PAGE_SHIFT;
    unsigned within = offset & c->unit_mask;
    return unit * c->per_unit + (unsigned)(((uint64_t)within * c->reciprocal) >> 32);
}

#endif
