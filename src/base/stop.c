/* The stop report: see stop.h. One thread reports at a time; nothing allocates. */
#include <stdatomic.h>

#include "base/host.h"
#include "base/options.h"
#include "base/stop.h"

/* A thread that dies, or is left behind by fork, in the middle of its report must not silence the others. */
#define PATIENCE_YIELDS 100000u

static struct stop_report shared_report;
static _Atomic uint32_t reporter; /* id of the thread that builds or gives out a report; 0 = none */

static const struct {
    uint32_t code;
    const char *name;
} stop_names[] = {
    {STOP_BAD_POOL_HEADER, "BAD_POOL_HEADER"},
    {STOP_KMODE_EXCEPTION_NOT_HANDLED, "KMODE_EXCEPTION_NOT_HANDLED"},
    {STOP_SPECIAL_POOL, "SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION"},
    {STOP_BAD_POOL_CALLER, "BAD_POOL_CALLER"},
    {STOP_DRIVER_VERIFIER, "DRIVER_VERIFIER_DETECTED_VIOLATION"},
    {STOP_KERNEL_MODE_HEAP_CORRUPTION, "KERNEL_MODE_HEAP_CORRUPTION"},
};

const char *stop_name(uint32_t code) {
    for (size_t i = 0; i < RXP_COUNT(stop_names); i++) {
        if (stop_names[i].code == code)
            return stop_names[i].name;
    }
    return "UNKNOWN";
}

/* Ends the process from inside a report: no structure is to be trusted, not even the options' file. */
static void stop_nested(void) {
    static const char line[] =
        "*** STOP: a further violation was found while this one was being reported\n";
    plat_report(NULL, line, sizeof line - 1);
    plat_stop(shared_report.code, shared_report.parameter);
}

static void reporter_take(void) {
    uint32_t me = plat_thread_id();
    if (atomic_load_explicit(&reporter, memory_order_relaxed) == me)
        stop_nested();
    for (unsigned waited = 0; waited < PATIENCE_YIELDS; waited++) {
        uint32_t nobody = 0;
        if (atomic_compare_exchange_strong_explicit(&reporter, &nobody, me, memory_order_acquire,
                                                    memory_order_relaxed))
            return;
        plat_yield();
    }
    atomic_store_explicit(&reporter, me, memory_order_relaxed);
}

struct stop_report *stop_claim(void) {
    reporter_take();
    return &shared_report;
}

static void put_what(struct stop_report *r, const char *what) {
    text_string(stop_line(r, "what"), what);
    stop_end_line(r);
}

void stop_warn(struct stop_report *r, const char *what) {
    r->code = 0;
    text_init(&r->text, r->buffer, sizeof r->buffer);
    text_string(&r->text, "*** WARNING\n");
    put_what(r, what);
}

void stop_begin(struct stop_report *r, uint32_t code, uint64_t p1, uint64_t p2, uint64_t p3,
                uint64_t p4, const char *what) {
    struct text *t = &r->text;
    r->code = code;
    r->parameter[0] = p1;
    r->parameter[1] = p2;
    r->parameter[2] = p3;
    r->parameter[3] = p4;
    text_init(t, r->buffer, sizeof r->buffer);
    text_string(t, "*** STOP: 0x");
    text_hex(t, code, 8);
    text_char(t, ' ');
    text_string(t, stop_name(code));
    for (size_t i = 0; i < 4; i++) {
        text_string(t, i == 0 ? " (0x" : ", 0x");
        text_hex(t, r->parameter[i], 16);
    }
    text_string(t, ")\n");
    put_what(r, what);
}

struct text *stop_line(struct stop_report *r, const char *key) {
    text_string(&r->text, key);
    text_string(&r->text, ": ");
    return &r->text;
}

void stop_end_line(struct stop_report *r) {
    text_char(&r->text, '\n');
}

void stop_site(struct stop_report *r, const char *key, const char *file, uint32_t line) {
    if (file == NULL)
        return;
    struct text *t = stop_line(r, key);
    text_string(t, file);
    text_char(t, ':');
    text_decimal(t, line);
    stop_end_line(r);
}

void stop_commit(struct stop_report *r) {
    if (r != &shared_report)
        reporter_take();
    const struct options *options = options_get();
    if (r->text.cut) /* a reader must see that the last line is not whole */
        r->buffer[r->text.length - 1] = '\n';
    plat_report(options->report, r->buffer, r->text.length);
    if (r->code != 0 && options->on_error == OPTIONS_STOP)
        plat_stop(r->code, r->parameter);
    atomic_store_explicit(&reporter, 0, memory_order_release);
}
