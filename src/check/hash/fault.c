/*
 * check/fault.h for a kernel: by number, since call stacks have no number that holds from one start of the machine to the
 * next, and nobody starts a driver again and again to fail each.
 */
#include "check/fault.h"

#include <stdatomic.h>

#include "base/fail.h"
#include "base/stop.h"
#include "check/report.h"
#include "check/sites.h"
#include "plat/plat.h"

#define RXPOOL_CHECKED 1
#include <ntrxdef.h>

#define TYPE_PAGED 1u /* of POOL_TYPE */

static struct {
    _Atomic uint64_t requests; /* that the filters let through */
    _Atomic uint64_t failures; /* of them, or with fail_record= that would have been */
    _Atomic uint64_t last;     /* number of the latest; its size, tag and site */
    _Atomic uint64_t last_size;
    _Atomic uint32_t last_tag, last_site;
    _Atomic bool started;
} fault;

static void trailer(struct text *out) {
    uint64_t failures = atomic_load_explicit(&fault.failures, memory_order_relaxed);
    if (failures == 0 || options_get()->fail_record)
        return;
    text_string(out, "injected: ");
    text_decimal(out, failures);
    text_string(out, failures == 1 ? " failure, the last at " : " failures, the last at ");
    sites_put(out, atomic_load_explicit(&fault.last_site, memory_order_relaxed));
    text_string(out, " (allocation ");
    text_decimal(out, atomic_load_explicit(&fault.last, memory_order_relaxed));
    text_string(out, ")\n");
}

static RXP_COLD void start(const struct options *o) {
    if (atomic_exchange(&fault.started, true))
        return;
    stop_set_trailer(trailer);
    if (o->fail != OPTIONS_FAIL_NTH && o->fail != OPTIONS_FAIL_PERCENT)
        report_note("fail= by call stacks is not for a kernel: nothing is failed");
}

/* Takes one of the failures that fail_most= leaves. */
static bool claim(const struct options *o) {
    uint64_t count = atomic_load_explicit(&fault.failures, memory_order_relaxed);
    do {
        if (o->fail_most != 0 && count >= o->fail_most)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&fault.failures, &count, count + 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

bool fault_fails(uint32_t type, size_t size, uint32_t tag, const struct caller *c) {
    const struct options *o = options_get();
    start(o);
    if (!fail_passes(o, size, tag & ~(uint32_t)PROTECTED_POOL, (type & TYPE_PAGED) != 0))
        return false;
    uint64_t number = atomic_fetch_add_explicit(&fault.requests, 1, memory_order_relaxed) + 1;
    if (!fail_by_number(o, number) || !claim(o))
        return false;
    atomic_store_explicit(&fault.last, number, memory_order_relaxed);
    atomic_store_explicit(&fault.last_size, size, memory_order_relaxed);
    atomic_store_explicit(&fault.last_tag, tag, memory_order_relaxed);
    atomic_store_explicit(&fault.last_site, sites_of(c), memory_order_relaxed);
    if (!o->fail_record && (type & POOL_RAISE_IF_ALLOCATION_FAILURE) != 0)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    return !o->fail_record;
}

void fault_judged(void) {}

/* fail_record=1: how many, and the last of them. */
static void list(uint64_t failures) {
    char buffer[320];
    struct text t;
    uint64_t size = atomic_load_explicit(&fault.last_size, memory_order_relaxed);
    text_init(&t, buffer, sizeof buffer);
    text_string(&t, "*** FAIL RECORD: ");
    text_decimal(&t, failures);
    text_string(&t, failures == 1 ? " allocation" : " allocations");
    text_string(&t, " would have failed\nwould fail: allocation ");
    text_decimal(&t, atomic_load_explicit(&fault.last, memory_order_relaxed));
    text_string(&t, ", ");
    text_decimal(&t, size);
    text_string(&t, size == 1 ? " byte tag " : " bytes tag ");
    text_tag(&t, atomic_load_explicit(&fault.last_tag, memory_order_relaxed) &
                     ~(uint32_t)PROTECTED_POOL);
    text_string(&t, " at ");
    sites_put(&t, atomic_load_explicit(&fault.last_site, memory_order_relaxed));
    text_char(&t, '\n');
    plat_report(options_get()->report, t.buffer, t.length);
}

void fault_close(void) {
    uint64_t failures = atomic_load_explicit(&fault.failures, memory_order_relaxed);
    if (failures != 0 && options_get()->fail_record)
        list(failures);
    atomic_store_explicit(&fault.requests, 0, memory_order_relaxed);
    atomic_store_explicit(&fault.failures, 0, memory_order_relaxed);
}
