/* What the pool counted: see allocator.h. */
#include "allocator.h"

#include <rxpool/stats.h>

bool allocator_accounts(uint64_t *allocations, uint64_t *live) {
    struct rxpool_stats *stats;
    if (rxpool_stats_open_self(&stats, NULL) != RXPOOL_STATS_OK) {
        return false;
    }
    bool answered = rxpool_stats_read(stats, NULL) == RXPOOL_STATS_OK;
    const struct rxpool_stats_row *row;
    *allocations = *live = 0;
    for (uint32_t i = 0; answered && (row = rxpool_stats_row(stats, i)) != NULL; i++) {
        if ((row->tag & 0xFF) == 'B') {
            *allocations += row->allocs;
            *live += row->diff;
        }
    }
    rxpool_stats_close(stats);
    return answered;
}
