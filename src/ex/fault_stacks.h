/*
 * Call stacks under 64-bit numbers that are the same in every run of the same programs: hashes of
 * module names and offsets. A frame counts once however often it occurs, so that recursion to another
 * depth is no other stack.
 *
 * fail_file= has a line for each stack that was failed: 16 hexadecimal digits, a blank, a site to read.
 * It is added to by single writes at its end, so that processes may share it; a line that is cut short
 * is passed over, as is anything else that does not begin with a number.
 */
#ifndef RXPOOL_EX_FAULT_STACKS_H
#define RXPOOL_EX_FAULT_STACKS_H

#include "base/base.h"

/* Reads what `file` holds (empty: none). False when there is no memory: then no stack is ever new. */
bool fault_stacks_start(const char *file);
/* The number of the calling thread's stack from the frame that returns to `from` on; never 0. */
uint64_t fault_stack_number(const void *from);
/*
 * The same where the stack was not asked for before, else 0: a stack that the process has seen costs a
 * walk and one look. True of another stack too when modules took each other's place.
 */
uint64_t fault_stack_unseen(const void *from);
/* Enters a number; false when it was there, or when there is no room. */
bool fault_stack_enter(uint64_t number);
/* Adds a line to `file`, which fault_stacks_start has read; false when that is refused. */
bool fault_stack_append(const char *file, uint64_t number, const char *site);

#endif
