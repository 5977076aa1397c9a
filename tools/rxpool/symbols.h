/* Reports with the places in them named. */
#ifndef RXPOOL_TOOLS_SYMBOLS_H
#define RXPOOL_TOOLS_SYMBOLS_H

#include <stdio.h>

/*
 * Writes a line of a report (its newline included), with `NAME (MODULE+0xOFFSET)` in place of a module's
 * path and an offset, NAME as places.h has it; as it is when there is none in it or nothing is known.
 */
void symbols_put_line(FILE *out, const char *line);

#endif
