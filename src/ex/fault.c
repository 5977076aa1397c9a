/* Which allocations fail on purpose: see fault.h. */
#include "ex/fault.h"

#include "base/fail.h"
#include "base/host.h"
#include "base/stop.h"
#include "ex/fast.h"
#include "ex/fault_log.h"
#include "ex/fault_stacks.h"

#define PATIENCE_YIELDS 100000u

enum { UNSTARTED, STARTING, STARTED };

static struct {
    _Atomic int state;
    bool stacks; /* there is room for their numbers */
    _Atomic uint64_t requests;
    _Atomic uint64_t failures; /* at most fail_most=, or the number of fail=@HASH's stacks */
} fault;

/*
 * Until another thread has started: its number is the first. Not for ever: that thread may be one that a
 * fork left behind.
 */
static bool await_start(void) {
    unsigned waited = 0;
    while (atomic_load_explicit(&fault.state, memory_order_acquire) != STARTED &&
           waited++ < PATIENCE_YIELDS)
        plat_yield();
    return atomic_load_explicit(&fault.state, memory_order_acquire) == STARTED;
}

/* Once, at the first request. What starting itself asks for is never failed. */
static RXP_COLD bool start(void) {
    const struct options *o = options_get();
    int unstarted = UNSTARTED;

    if (!atomic_compare_exchange_strong(&fault.state, &unstarted, STARTING))
        return await_start();
    engine_thread.exempt = true;
    fault.stacks = fault_stacks_start(o->fail_file);
    fault_log_start();
    if (!fault.stacks && (o->fail == OPTIONS_FAIL_STACK || o->fail == OPTIONS_FAIL_STACKS))
        fault_log_note("no memory for call stacks: none is failed", "");
    engine_thread.exempt = false;
    atomic_store_explicit(&fault.state, STARTED, memory_order_release);
    return true;
}

static bool started(void) {
    return atomic_load_explicit(&fault.state, memory_order_acquire) == STARTED || start();
}

/* --- the choice --------------------------------------------------------------------------------- */

static bool listed(const struct options *o, uint64_t stack) {
    for (uint32_t i = 0; i < o->fail_stacks; i++) {
        if (o->fail_stack[i] == stack)
            return true;
    }
    return false;
}

static uint64_t most_failures(const struct options *o) {
    uint64_t most = o->fail_most != 0 ? o->fail_most : UINT64_MAX;
    return o->fail == OPTIONS_FAIL_STACKS && o->fail_stacks < most ? o->fail_stacks : most;
}

/* Takes one of the failures that are left. */
static bool claim(const struct options *o) {
    uint64_t count = atomic_load_explicit(&fault.failures, memory_order_relaxed);

    do {
        if (count >= most_failures(o))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&fault.failures, &count, count + 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

/* By its call stack; *stack is its number. */
static bool new_stack(const struct options *o, const void *caller, uint64_t *stack) {
    *stack = fault.stacks ? fault_stack_unseen(caller) : 0;
    if (*stack == 0 || (o->fail == OPTIONS_FAIL_STACKS && !listed(o, *stack)))
        return false;
    return fault_stack_enter(*stack) && claim(o);
}

/* *fresh: the stack was not failed before. */
static bool chosen(const struct options *o, const struct fault_request *r, uint64_t number,
                   uint64_t *stack, bool *fresh) {
    *fresh = true;
    if (o->fail == OPTIONS_FAIL_STACK || o->fail == OPTIONS_FAIL_STACKS)
        return new_stack(o, r->caller, stack);
    if (!fail_by_number(o, number) || !claim(o))
        return false;
    *stack = fault_stack_number(r->caller);
    *fresh = fault.stacks && fault_stack_enter(*stack);
    return true;
}

bool fault_inject(const struct fault_request *request) {
    const struct options *o = options_get();
    uint64_t stack = 0;
    bool fresh;

    if (o->fail == OPTIONS_FAIL_NONE || engine_thread.exempt || !started() ||
        !fail_passes(o, request->size, request->tag, request->paged))
        return false;
    uint64_t number = atomic_fetch_add_explicit(&fault.requests, 1, memory_order_relaxed) + 1;
    if (atomic_load_explicit(&fault.failures, memory_order_relaxed) >= most_failures(o) ||
        !chosen(o, request, number, &stack, &fresh))
        return false;
    fault_log_add(request, number, stack, fresh);
    return !o->fail_record;
}

void fault_exempt(bool exempt) {
    engine_thread.exempt = exempt;
}
