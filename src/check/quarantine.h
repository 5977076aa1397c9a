/*
 * The quarantine: freed blocks wait, filled, before the pool gets them back, so that a late write is
 * seen and a second free is known for what it is.
 *
 * Each shard of the registry keeps its part, oldest first, under the lock that a free takes anyway;
 * nonpaged and paged blocks queue apart, since paged ones may be touched at APC_LEVEL or below only.
 * A shard holds its share of quarantine=; a block larger than that is not held at all. A block leaves
 * when a later free needs its room, when an allocation fails, at unload and at exit; it is checked
 * then, without a lock, and its record stays behind as a ghost.
 */
#ifndef RXPOOL_CHECK_QUARANTINE_H
#define RXPOOL_CHECK_QUARANTINE_H

#include "check/registry.h"

#define QUARANTINE_VICTIMS 2u /* leave at most for one that comes: bounds the cost of a free */

enum take_verdict {
    TAKE_HELD,   /* live until now; it waits in the quarantine */
    TAKE_DIRECT, /* live until now; to be given back at once */
    TAKE_UNKNOWN,
    TAKE_NOT_LIVE, /* info.state says what it is */
    TAKE_WRONG_TAG,
    TAKE_WRONG_IRQL,
    TAKE_OTHERS, /* live, a plain block */
    TAKE_SIGNED, /* live, not of the pool */
};

struct take {
    /* in */
    uint64_t block;
    uint32_t tag; /* 0 any */
    uint32_t site;
    uint8_t irql, irql_most; /* the caller's; the highest at which a nonpaged block may be freed */
    /* out */
    uint8_t victims;
    struct record *record; /* TAKE_HELD: for quarantine_filled */
    struct record_info info;
    struct record_info
        victim[QUARANTINE_VICTIMS]; /* left the quarantine: to be checked and given back */
};

/* Ends the life of a block. Anything but HELD and DIRECT: nothing was done. */
enum take_verdict quarantine_take(struct take *t);
/* TAKE_HELD: the block's bytes are as the quarantine will check them. */
void quarantine_filled(struct record *record);
/* A damaged block, live or held: never checked or handed out again. */
void quarantine_set_aside(uint64_t block);
/* The next block to leave, whatever the room, of shard `index`; false when none is left. */
bool quarantine_pop(unsigned index, bool paged, struct record_info *out);

#endif
