/*
 * The search for references: which live blocks can the program still reach?
 *
 *   roots   registers, stacks, thread-local and global data, everything else that the process can
 *           have written (plat/scan.h), and blocks of the pool that no record knows
 *   edges   an aligned word in a reached block's bytes that is an address in another block, from its
 *           header to its last guard byte. So links of lists, which lead into a block, count, and the
 *           first entry of an S-list's head, whose low four bits are not the address's
 *   not     freed blocks in the quarantine, and everything that the project keeps for itself
 *
 * A block that is not reached is lost. What was not reached by its pointer, but only by addresses
 * inside it, is told apart; so is what lost blocks refer to: freeing those well would free it too.
 *
 *   sorted array of live and held blocks --page index--> the block around an address
 *
 * The array, with what sorting it needs, takes 33 bytes for each block and 4 for each page between
 * them; it is the system's memory, for the time of the search, and where it cannot be had, there is
 * no search. The sort's second half becomes the list of blocks to look into: each enters once.
 */
#ifndef RXPOOL_CHECK_SCAN_H
#define RXPOOL_CHECK_SCAN_H

#include "check/registry.h"

enum scan_reach {
    SCAN_LOST,
    SCAN_LOST_THROUGH, /* lost, and a lost block refers to it */
    SCAN_HELD_INSIDE,  /* held, by addresses inside it only */
    SCAN_HELD,
};

struct scan_outcome {
    const char *refused; /* why there was no search; NULL where the system has none at all */
    unsigned unstopped;  /* threads that went on meanwhile: their stacks counted as a whole */
};

/*
 * Searches, with all other threads stopped, and lets them go on; the registry stays frozen. `exiting`:
 * see plat_scan_begin. False where out->refused says why. One search at a time; PASSIVE_LEVEL.
 */
bool scan_begin(bool exiting, struct scan_outcome *out);
/* Calls visit for every live block of the pool. */
void scan_each(void (*visit)(void *argument, const struct record_info *info, enum scan_reach reach),
               void *argument);
/* Ends it, and with it the frost. */
void scan_end(void);

#endif
