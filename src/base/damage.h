/*
 * The part of a report that shows overwritten bytes:
 *
 *   damage: offset 100, 1 byte: 01 (expected bd)
 *     0x7e00000c1fe0  c5 c5 c5 c5 ...
 */
#ifndef RXPOOL_BASE_DAMAGE_H
#define RXPOOL_BASE_DAMAGE_H

#include "base/stop.h"

/* What is shown; addresses of this process. */
struct damage_shown {
    uint64_t block;      /* offsets count from here */
    uint64_t start, end; /* the block's memory, of which some is shown around the damage */
    uint64_t at;         /* the first damaged byte */
    uint64_t bytes;      /* from there to the last one */
    const unsigned char *expected;
    uint32_t expected_bytes; /* in `expected`; the last one repeats */
};

/*
 * Adds the line and the memory around it, unless that cannot be read: the owner of the bytes beside the
 * damage may have made them inaccessible.
 */
void damage_put(struct stop_report *r, const struct damage_shown *d);

#endif
