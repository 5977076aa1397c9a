/*
 * The rows of a leak list: blocks of one tag, one site (or stack), one pool and one fate, counted, with the
 * oldest block's first bytes. One list at a time; it is too large for a kernel's stack.
 */
#ifndef RXPOOL_CHECK_LEAK_ROWS_H
#define RXPOOL_CHECK_LEAK_ROWS_H

#include "base/text.h"
#include "check/registry.h"

/* What is known of a block that was not freed, in the order of the list. */
enum leak_fate {
    LEAK_UNTOLD, /* nobody has searched for references to it */
    LEAK_LOST,   /* nothing refers to it any more */
    LEAK_HELD,   /* something still does */
    LEAK_SUMMED, /* not to be shown one by one: all of a tag are one row, which closes the list */
};

struct leak_total {
    uint64_t blocks, bytes;
};

/* Begins a list: waits until no other thread has one. */
void leak_rows_begin(void);
/*
 * Counts a block. `apart`: LOST, and lost blocks refer to it; HELD, and only addresses inside it are
 * known. IRQL = PASSIVE_LEVEL: the block's bytes are read.
 */
void leak_rows_add(const struct record_info *info, enum leak_fate fate, bool apart);
struct leak_total leak_rows_total(enum leak_fate fate);
/* Gives the rows out, lost ones first, then by bytes. */
void leak_rows_print(void);
/* Ends the list. */
void leak_rows_end(void);

/* Appends "3 blocks, 192 bytes". */
void leak_put_amount(struct text *t, uint64_t blocks, uint64_t bytes);
/* Ends the line and gives it out where reports go. */
void leak_say(struct text *t);

#endif
