/* The end of a driver: see check_unload. */
#include "check/check.h"
#include "check/fault.h"
#include "check/hash/shard.h"
#include "check/sites.h"
#include "check/stacks.h"
#include "check/sweep.h"

static void count(void *argument, const struct record_info *info) {
    (void)info;
    ++*(size_t *)argument;
}

/* Frees that come late find their records: so the tables stay as long as anything is live. */
size_t check_unload(const struct caller *c) {
    size_t live = 0, leaks = check_leaks(c);
    sweep_at_exit(false, c); /* nothing looks at them later */
    registry_each_live(count, &live);
    fault_close();
    if (live == 0) {
        shard_close();
        sites_close();
        stacks_close();
    }
    return leaks;
}
