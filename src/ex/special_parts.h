/* What the files of special.h share. */
#ifndef RXPOOL_EX_SPECIAL_PARTS_H
#define RXPOOL_EX_SPECIAL_PARTS_H

#include "ex/special.h"

/* What a block is asked for. */
struct special_request {
    uint64_t key; /* the account */
    size_t size;
    size_t alignment;   /* 16 or more */
    size_t lead;        /* checked blocks: room for a header in front, where it fits */
    const void *caller; /* a return address for the reports */
    bool checked;
};

/* Why a block goes without a guard page. */
enum special_refusal {
    SPECIAL_SERVED,
    SPECIAL_NO_GUARD,
    SPECIAL_NO_MEMORY,
    SPECIAL_NO_SHAPE,
    SPECIAL_NO_TIME,
    SPECIAL_REFUSALS
};

/* special.c: the block, counted for `heap` (NULL: the calling thread has none). Size 1 or more. */
enum special_refusal special_alloc(struct heap *heap, const struct special_request *q,
                                   struct guard_place *out);
/* Whether what guarded blocks cost this thread is taken off the time for samples. */
RXP_INLINE bool special_timed(const struct heap *heap) {
    return heap != NULL && (special_asks() & SPECIAL_SAMPLE) != 0;
}

/* Takes off what was spent since then, on plat_clock_ns. */
void special_charge(struct heap *heap, uint64_t since);

/* Fills in live, freed and left_open. */
void special_counts(struct special_coverage *out);

#endif
