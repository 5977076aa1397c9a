/*
 * Return addresses in reports. A place in code is the path of its module and the offset in it, which
 * `rxpool symbols` turns into a function, a file and a line; who writes a report may not allocate, and
 * so cannot. The frames behind a place follow its line, one a line:
 *
 *   detected at: /usr/bin/program+0x1189
 *     #1 /usr/bin/program+0x11c5
 *     #2 /usr/lib/libc.so.6+0x2724a
 */
#ifndef RXPOOL_BASE_FRAMES_H
#define RXPOOL_BASE_FRAMES_H

#include "base/options.h"
#include "base/text.h"

/* Frames of a stack: the callers that stacks= asks for, and the place itself. */
#define FRAMES_MOST (OPTIONS_STACK_MOST + 1)

/* Appends MODULE+0xOFFSET; 0xPC where `module` is NULL. */
void frames_put_place(struct text *t, const char *module, uint64_t offset, const void *pc);
/* The same for a return address whose module is loaded now. */
void frames_put_pc(struct text *t, const void *pc);
/* Appends `  #N `, where a line of a frame begins. */
void frames_put_number(struct text *t, unsigned number);
/*
 * Appends the frames behind the one of the calling thread's stack that returns to `from`, with its own
 * as #0 where `with_own`; as many as stacks= says, nothing without it or for NULL.
 */
void frames_put_stack(struct text *t, const void *from, bool with_own);

#endif
