/* What a program prints of a run, the same on every system. */
#ifndef MINIRDR_PRINT_H
#define MINIRDR_PRINT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core.h"

/* What was found, compared and opened. */
void print_found(const MINIRDR_STATISTICS *s);
/* Leaks, damage and throughput. */
void print_end(const MINIRDR_STATISTICS *s, SIZE_T leaks, double seconds, uint64_t operations);
/* Prints this process's pool table in PoolMon's columns; *operations gets its allocations and frees. False,
 * with one line on stderr, when it could not be read. */
bool table_print(FILE *out, uint64_t *operations);
/* `value` with a comma between thousands, in one of eight buffers that take turns. For one thread. */
const char *grouped(uint64_t value);

#endif
