/*
 * Call stacks: a site and the frames behind it, under an id that is a site's (sites.h) and never given
 * back. Each distinct stack is stored once, as the ids of its frames:
 *
 *   | next in its bucket | hash and number of frames | site | frame | frame | ...      4 bytes each
 *
 * Where the site is a file and a line the first frame is the site's own, which adds its function; where
 * it is a return address that is the first frame, and is not stored again.
 *
 * Nothing here takes a lock: stacks are only ever added, each by one compare-and-swap at the head of
 * its bucket. (The sites of frames that are seen for the first time take theirs.) Room is for some
 * 16 million words, in a kernel for 262,144; when it is used up, further stacks are plain sites, which is said once.
 */
#ifndef RXPOOL_CHECK_STACKS_H
#define RXPOOL_CHECK_STACKS_H

#include <stdatomic.h>

#include "base/text.h"

/* Callers behind a site that are kept: stacks=, as it was when the first block was made; 0 none. */
extern RXP_HIDDEN _Atomic uint32_t stacks_depth;

/* Keeps `depth` callers (at most OPTIONS_STACK_MOST) from now on. */
void stacks_start(uint32_t depth);
/*
 * The id of the calling thread's stack from the frame on that returns to `pc`, where `site` is. `site`
 * itself when `pc` is NULL, when nothing is behind it, and when there is no room. Any IRQL <= DISPATCH.
 */
uint32_t stacks_here(uint32_t site, const void *pc);
/* The id of this stack of `count` frames, 1 to FRAMES_MOST, which are ids of sites; 0 when there is no room. */
uint32_t stacks_intern(uint32_t site, const uint32_t *frames, uint32_t count);
/* The site of a stack. */
uint32_t stacks_site(uint32_t id);
/* Appends the lines of the frames behind the site (base/frames.h); nothing for an id of no stack. */
void stacks_put(struct text *out, uint32_t id);
/* Bytes that stacks occupy. */
uint64_t stacks_bytes(void);
/* Gives the memory back: all ids are forgotten. Nobody else calls meanwhile. */
void stacks_close(void);

#endif
