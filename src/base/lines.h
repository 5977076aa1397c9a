/* Lines of a report about a block that more than one layer has to tell of, each from a record of its own. */
#ifndef RXPOOL_BASE_LINES_H
#define RXPOOL_BASE_LINES_H

#include "base/base.h"
#include "base/text.h"

struct lines_block {
    uint64_t block, size;
    uint32_t tag; /* without PROTECTED_POOL */
    bool paged;
};

/* "block: 0x7e00000c1f90 size 100 tag Test type Nonp", under any key */
void lines_put_block(struct text *t, const char *key, const struct lines_block *b);
/* "access: write at 0x7e00000c1ff7, 3 bytes behind the end" */
void lines_put_access(struct text *t, const struct lines_block *b, uint64_t address, bool write);
/* What that is as a sentence: 'what:' of the stops 0xCC (`freed`) and 0xCD. */
const char *lines_access(const struct lines_block *b, uint64_t address, bool write, bool freed);
/* Whether [at, at + bytes) lies in the block; where not, the first byte of it that does not. */
RXP_INLINE bool lines_within(uint64_t block, uint64_t size, uint64_t at, uint64_t bytes) {
    return at >= block && at - block <= size && bytes <= size - (at - block);
}

RXP_INLINE uint64_t lines_first_outside(uint64_t block, uint64_t size, uint64_t at) {
    return at >= block && at - block < size ? block + size : at;
}

#endif
