/* The stop report: see stop.h. One thread reports at a time; nothing allocates. */
#include <stdatomic.h>

#include "base/frames.h"
#include "base/host.h"
#include "base/options.h"
#include "base/stop.h"

/* A thread that dies, or is left behind by fork, in the middle of its report must not silence the others. */
#define PATIENCE_YIELDS 100000u
#define TRAILER_CAPACITY 2048

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
    {STOP_FREED_SPECIAL_POOL, "PAGE_FAULT_IN_FREED_SPECIAL_POOL"},
    {STOP_SPECIAL_POOL_OVERRUN, "PAGE_FAULT_BEYOND_END_OF_ALLOCATION"},
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

void stop_caller(struct stop_report *r, const char *key, const void *pc) {
    frames_put_pc(stop_line(r, key), pc);
    stop_end_line(r);
    frames_put_stack(&r->text, pc, false);
}

/* What on_error= calls this violation; KINDS for one that it does not name: that one stops. */
static enum options_kind kind_of(const struct stop_report *r) {
    static const struct {
        uint32_t code, parameter;
        enum options_kind kind;
    } kinds[] = {
        {STOP_KERNEL_MODE_HEAP_CORRUPTION, 0x3, KIND_HEADER},
        {STOP_KERNEL_MODE_HEAP_CORRUPTION, 0x6, KIND_OVERRUN},
        {STOP_KERNEL_MODE_HEAP_CORRUPTION, 0x7, KIND_UNDERRUN},
        {STOP_KERNEL_MODE_HEAP_CORRUPTION, 0xB, KIND_AFTER_FREE},
        {STOP_KERNEL_MODE_HEAP_CORRUPTION, 0xD, KIND_AFTER_FREE},
        {STOP_BAD_POOL_CALLER, 0x06, KIND_DOUBLE},
        {STOP_BAD_POOL_CALLER, 0x07, KIND_DOUBLE},
        {STOP_BAD_POOL_CALLER, 0x08, KIND_IRQL},
        {STOP_BAD_POOL_CALLER, 0x09, KIND_IRQL},
        {STOP_BAD_POOL_CALLER, 0x0A, KIND_TAG},
        {STOP_BAD_POOL_CALLER, 0x9B, KIND_TAG},
        {STOP_BAD_POOL_CALLER, 0x9C, KIND_TAG},
        {STOP_BAD_POOL_CALLER, 0x9D, KIND_TAG},
        {STOP_BAD_POOL_CALLER, 0x00, KIND_ARGS},
        {STOP_BAD_POOL_CALLER, 0x9A, KIND_ARGS},
        {STOP_KERNEL_MODE_HEAP_CORRUPTION, 0x9, KIND_ARGS},
        {STOP_DRIVER_VERIFIER, 0x62, KIND_LEAK},
    };
    for (size_t i = 0; i < RXP_COUNT(kinds); i++) {
        if (kinds[i].code == r->code && kinds[i].parameter == r->parameter[0])
            return kinds[i].kind;
    }
    switch (r->code) {
    case STOP_BAD_POOL_CALLER:
        return KIND_ADDRESS;
    case STOP_DRIVER_VERIFIER:
        return KIND_ARGS;
    case STOP_FREED_SPECIAL_POOL:
        return KIND_AFTER_FREE;
    case STOP_SPECIAL_POOL_OVERRUN:
    case STOP_SPECIAL_POOL:
        return KIND_GUARD;
    default:
        return KINDS;
    }
}

/* --- the trailer ------------------------------------------------------------------------------- */

static void (*_Atomic trailer_hook)(struct text *out);
static char trailer_buffer[TRAILER_CAPACITY]; /* the reporter's */

void stop_set_trailer(void (*trailer)(struct text *out)) {
    atomic_store_explicit(&trailer_hook, trailer, memory_order_release);
}

/* Its lines, in trailer_buffer; answers how long they are. */
static size_t make_trailer(void) {
    void (*trailer)(struct text *) = atomic_load_explicit(&trailer_hook, memory_order_acquire);
    struct text t;
    text_init(&t, trailer_buffer, sizeof trailer_buffer);
    if (trailer != NULL)
        trailer(&t);
    return t.length;
}

void stop_say_trailer(void) {
    reporter_take();
    size_t length = make_trailer();
    if (length != 0)
        plat_report(options_get()->report, trailer_buffer, length);
    atomic_store_explicit(&reporter, 0, memory_order_release);
}

/* A reader must see that the report is not whole. */
static void say_cut(struct text *t) {
    static const char last[] = "\ncut: the report is longer than there is room for\n";
    t->length -= sizeof last - 1;
    text_string(t, last);
}

/* The report's end: the trailer's lines are there however long it is. */
static void finish(struct text *t) {
    size_t length = make_trailer(), room = t->capacity - 1 - length;
    if (t->length > room) {
        t->length = room;
        t->cut = true;
    }
    if (t->cut)
        say_cut(t);
    text_bytes(t, trailer_buffer, length);
}

void stop_commit(struct stop_report *r) {
    if (r != &shared_report)
        reporter_take();
    const struct options *options = options_get();
    finish(&r->text);
    plat_report(options->report, r->buffer, r->text.length);
    if (r->code != 0 && !(options->logged >> kind_of(r) & 1))
        plat_stop(r->code, r->parameter);
    atomic_store_explicit(&reporter, 0, memory_order_release);
}
