/* What check.c shares with heap.c, which serves the same blocks under other rules. */
#ifndef RXPOOL_CHECK_INSIDE_H
#define RXPOOL_CHECK_INSIDE_H

#include "base/backend.h"
#include "check/block_words.h"
#include "check/quarantine.h"
#include "check/report.h"

/* Parameter 1 of 0xC2 for an address that is no block. */
#define BAD_ADDRESS 0x46u  /* in no pool */
#define BAD_UNUSED 0x41u   /* of the pool, but not allocated */
#define BAD_INTERIOR 0x99u /* inside a block */

/* Makes registry, reports and the work at exit ready at the first call; false when memory is short. */
bool check_start(void);
/* Whether some blocks are to lie between guard pages. */
bool check_guards(void);
/* The record of a block that does: where it is. */
void check_set_place(struct record_info *out, const struct guard_place *place);
/* Says once that blocks go without a record, and so without checks. */
void check_degrade(void);
/*
 * The block in whose memory `address` lies, by the registry alone. A ghost's memory may be somebody
 * else's by now, so ghosts are not found.
 */
bool check_find_around(uintptr_t address, struct record_info *out);
/*
 * Whether it is this build that zeroes memory of the pool, of `size` bytes, when it is known to be nobody's: an
 * overwritten list may lead to a block in use, which the pool would zero. Large blocks are in no list.
 */
#define CHECK_ZEROES_MOST ((size_t)32768)
RXP_INLINE bool check_zeroes(size_t size) {
    return size <= CHECK_ZEROES_MOST;
}
/* A block's bytes, where that is so. */
void check_zero(const struct record_info *info);
/*
 * Whether the memory that the pool has just answered is a block to use: false, with a report, where the
 * pool's list of free blocks was overwritten there. The memory is left alone then, and the pool asked again.
 */
bool check_list(const void *memory, const struct caller *c);
/* The report of that, where the answer is known. */
void check_list_is_broken(const void *memory, const struct caller *c);
/* The same for a block whose place in the memory is known: true, with a report, where it is in use already. */
bool check_in_use(const struct record_info *info, const struct caller *c);
/* Whether that need be asked: what was free has no header of a live block, unless by chance. */
RXP_INLINE bool check_seems_live(const struct record_info *info) {
    return info->kind == RECORD_POOL && block_state_at(info) == RX_POOL_STATE_ALLOCATED;
}
/*
 * The rest of a free whose quarantine_take answered TAKE_HELD (`held`) or TAKE_DIRECT: checks the
 * block, and lets it wait or gives it back.
 */
void check_finish_free(struct take *t, bool held, const struct caller *c);
/* What is left of that when the block is as the quarantine will check it. */
void check_keep(struct take *t, const struct caller *c);
/* What is left when the block is in the quarantine: *t says what leaves that for it. */
void check_make_way(struct take *t, const struct caller *c);
/* Lets blocks leave the quarantine until there is room, where any IRQL allows that they are read. */
void check_go_on(const struct caller *c);
/* Checks one that has left, and gives it back. */
void check_evict(const struct record_info *info, const struct caller *c);

/* check_allocate and check_free in every case. */
void *check_allocate_any(uint32_t type, uint32_t size, uint32_t tag, const struct caller *c);
void check_free_any(void *block, uint32_t tag, const struct caller *c);
/* Makes a block of the pool's memory as *info says, and enters it. NULL when memory is short. */
void *check_hand_out(const struct record_info *info, const struct caller *c);
#endif
