/*
 * RXPOOL_OPTIONS fail=: allocations that fail on purpose.
 *
 *   fault.c         which ones: filters, the count, the four modes
 *   fault_stacks.c  call stacks by number, those that were failed already, and fail_file=
 *   fault_log.c     what was failed, in every report from then on and at exit
 *
 * The entry points ask in their slow halves, once for each request that passed the documented rules,
 * before the engine is asked; under fail= every call goes there (engine_slow_always). What the engine
 * and the checked build need for themselves does not come by here.
 *
 * Requests are numbered in the order in which they ask, over the whole process; a forked child counts
 * on from its parent. With one thread that is the same order in every run. With several, fail=N and
 * fail=P% still choose the same numbers, but which thread's request gets one is up to the scheduler;
 * call stacks are the same whoever comes first.
 */
#ifndef RXPOOL_EX_FAULT_H
#define RXPOOL_EX_FAULT_H

#include "base/options.h"

/* A request, as its caller made it. */
struct fault_request {
    uint64_t size;
    uint32_t tag;
    uint32_t line;
    const char *file; /* the call's site; NULL where only the address is known */
    const void
        *caller; /* return address of the documented routine; NULL: the caller of fault_inject */
    bool paged;
};

/* Whether the request has to fail, as if memory had run out. Any IRQL; takes no lock to decide. */
bool fault_inject(const struct fault_request *request);

RXP_INLINE bool fault_wanted(void) {
    return RXP_UNLIKELY(options_get()->fail != OPTIONS_FAIL_NONE);
}

/*
 * Until it is called with false, what this thread asks for is neither counted nor failed: the request
 * on whose behalf it asks was judged already. A raised status ends it too.
 */
void fault_exempt(bool exempt);

#endif
