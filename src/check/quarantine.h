/*
 * The quarantine: freed blocks wait, filled, before the pool gets them back, so that a late write is
 * seen and a second free is known for what it is.
 *
 * A free ends the block's life (quarantine_take), fills its bytes, and puts it at the end of a queue
 * (quarantine_keep); nonpaged and paged blocks queue apart, since paged ones may be touched at
 * APC_LEVEL or below only. All queues together hold quarantine= bytes at most; a block larger than a
 * sixteenth of that is not held at all. Blocks leave when a later free needs their room, when an allocation
 * fails, at unload and at exit; they are checked then, without a lock, and their records stay as ghosts.
 */
#ifndef RXPOOL_CHECK_QUARANTINE_H
#define RXPOOL_CHECK_QUARANTINE_H

#include "base/backend.h"
#include "base/options.h"
#include "check/registry.h"

#define QUARANTINE_VICTIMS 2u /* leave at a time */
#define QUARANTINE_BATCH 4u

enum take_verdict {
    TAKE_HELD,   /* live until now; to be filled, then quarantine_keep */
    TAKE_DIRECT, /* live until now; to be given back at once */
    TAKE_UNKNOWN,
    TAKE_NOT_LIVE, /* info.state says what it is */
    TAKE_WRONG_TAG,
    TAKE_WRONG_IRQL,
    TAKE_OTHERS, /* live, a plain block, of ours too */
    TAKE_SIGNED, /* live, not of the pool */
};

struct take {
    /* in */
    uint64_t block;
    uint32_t tag; /* 0 any */
    uint32_t site;
    uint8_t irql, irql_most; /* the caller's; the highest at which a nonpaged block may be freed */
    uint64_t held_most;      /* quarantine_most() */
    /* out */
    uint8_t victims; /* of quarantine_keep and quarantine_go_on */
    bool more;       /* of both: there is still no room, call quarantine_go_on */
    bool surplus;    /* of quarantine_keep: there is something for quarantine_pop */
    /* Of quarantine_keep, where the pool counts the block otherwise than victim[0]; asked before another thread could take it. */
    bool told;
    struct counted_block counted;
    uint32_t number; /* of the record: the implementation's own */
    struct record_info info;
    struct record_info
        victim[QUARANTINE_VICTIMS]; /* left the quarantine: to be checked and given back */
};

/* The largest block that is held, header and guard included: bytes. */
RXP_INLINE uint64_t quarantine_most(void) {
    return options_get()->quarantine / 16;
}
/* Ends the life of a block. Anything but HELD and DIRECT: nothing was done. */
enum take_verdict quarantine_take(struct take *t);
/* After TAKE_HELD: the block's bytes are as the quarantine will check them. May push others out. */
void quarantine_keep(struct take *t);
/* The next victims, where `more`. A block may have to make as many smaller ones leave as fit in it. */
void quarantine_go_on(struct take *t);
/* A damaged block, no longer live and in no queue: never checked or handed out again. */
void quarantine_set_aside(uint64_t block);
/*
 * Takes up to QUARANTINE_BATCH blocks out of the quarantine, paged ones too where `paged`: any, or those
 * that are to leave because others need the room. Answers how many; 0 when none is left, in a kernel but for
 * those that a sweep looks at.
 */
unsigned quarantine_pop(struct record_info out[QUARANTINE_BATCH], bool paged, bool any);

#endif
