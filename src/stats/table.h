/*
 * A pool table as text, in PoolMon's columns: one form for the tool and for stats=exit.
 */
#ifndef RXPOOL_STATS_TABLE_H
#define RXPOOL_STATS_TABLE_H

#include "base/text.h"
#include "rxpool/stats.h"

/* Room for any one line of a table, its newline included; a longer name is cut. */
#define TABLE_LINE 512

/*
 * Each adds one line. `~` in front of a tag marks a torn row; Caller, for a checked build, is bytes
 * without headers and guards.
 */
void table_header(struct text *t, const struct rxpool_stats_summary *summary);
/* `shown` stands in the last column; NULL for the name that the row has. */
void table_row(struct text *t, const struct rxpool_stats *stats, const struct rxpool_stats_row *row,
               const char *shown);
/* Sums over all rows. */
void table_total(struct text *t, const struct rxpool_stats *stats);

#endif
