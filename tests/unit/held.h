/* What the registry says is held, beside what the pool's accounts say of it. */
#ifndef RXPOOL_TESTS_HELD_H
#define RXPOOL_TESTS_HELD_H

#include "unit.h"

#include "base/backend.h"
#include "check/registry.h"
#include "ex/account.h"

struct held_counts {
    int64_t blocks[64], bytes[64]; /* by account */
};

/* What is set aside stays held. */
static inline void count_held(void *argument, uint32_t id, const struct record_info *info) {
    (void)id;
    struct held_counts *sum = argument;
    if (info->state != RECORD_HELD && info->state != RECORD_SET_ASIDE)
        return;
    struct counted_block b = pool_backend()->counted((void *)(uintptr_t)(info->block - info->back));
    assert_in_range(b.account, 1, RXP_COUNT(sum->blocks) - 1);
    sum->blocks[b.account]++;
    sum->bytes[b.account] += b.bytes;
}

static inline void assert_held_is_counted(void) {
    struct held_counts sum = {{0}, {0}};
    registry_each_record(count_held, &sum);
    for (uint32_t id = 1; id < RXP_COUNT(sum.blocks); id++) {
        assert_int_equal(account_at(id)->held_blocks, sum.blocks[id]);
        assert_int_equal(account_at(id)->held_bytes, sum.bytes[id]);
    }
}

#endif
