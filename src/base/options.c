/* RXPOOL_OPTIONS: one table of keys, one parser; see options.h. */
#include <stdatomic.h>

#include "base/host.h"
#include "base/options.h"
#include "base/text.h"

#define LINE_CAPACITY 640

/* Part of the specification; not terminated. */
struct word {
    const char *start;
    size_t length;
};

struct option {
    const char *key;
    const char *valid; /* its values, as a message shows them */
    const char *help;
    bool (*set)(struct options *out, struct word value); /* false: not valid, nothing changed */
};

static bool word_is(struct word w, const char *s) {
    size_t i = 0;
    while (i < w.length && s[i] != '\0' && s[i] == w.start[i])
        i++;
    return i == w.length && s[i] == '\0';
}

/* Cuts the first part of *rest off at `separator`. */
static struct word word_next(struct word *rest, char separator) {
    struct word first = {rest->start, 0};
    while (first.length < rest->length && rest->start[first.length] != separator)
        first.length++;
    size_t used = first.length < rest->length ? first.length + 1 : first.length;
    rest->start += used;
    rest->length -= used;
    return first;
}

/* Decimal digits, all of them; false on anything else or when it does not fit. */
static bool parse_number(struct word w, uint64_t *out) {
    uint64_t value = 0;
    for (size_t i = 0; i < w.length; i++) {
        char c = w.start[i];
        if (c < '0' || c > '9' || value > (UINT64_MAX - (uint64_t)(c - '0')) / 10)
            return false;
        value = value * 10 + (uint64_t)(c - '0');
    }
    *out = value;
    return w.length > 0;
}

/* A number with an optional K, M, G or T of either case (powers of 1024). */
static bool parse_size(struct word w, uint64_t *out) {
    static const char units[] = "KMGT";
    unsigned shift = 0;
    if (w.length > 1) {
        for (unsigned i = 0; units[i] != '\0'; i++) {
            if ((w.start[w.length - 1] & ~0x20) == units[i])
                shift = 10 * (i + 1);
        }
    }
    if (shift != 0)
        w.length--;
    uint64_t value;
    if (!parse_number(w, &value) || value > UINT64_MAX >> shift)
        return false;
    *out = value << shift;
    return true;
}

/* The index of the value in `names`, or -1. */
static int parse_choice(struct word w, const char *const names[], int count) {
    for (int i = 0; i < count; i++) {
        if (word_is(w, names[i]))
            return i;
    }
    return -1;
}

static bool parse_bool(struct word w, bool *out) {
    static const char *const names[] = {"0", "1"};
    int i = parse_choice(w, names, 2);
    if (i >= 0)
        *out = i == 1;
    return i >= 0;
}

static bool set_limit(struct options *o, struct word v) {
    return parse_size(v, &o->limit);
}

static bool set_quarantine(struct options *o, struct word v) {
    return parse_size(v, &o->quarantine);
}

static bool set_fill(struct options *o, struct word v) {
    return parse_bool(v, &o->fill);
}

static bool set_purge(struct options *o, struct word v) {
    uint64_t ms;
    if (!parse_number(v, &ms) || ms > UINT32_MAX)
        return false;
    o->purge_ms = (uint32_t)ms;
    return true;
}

static bool set_by(struct options *o, struct word v) {
    static const char *const names[] = {
        [OPTIONS_BY_TAG] = "tag", [OPTIONS_BY_MODULE] = "module", [OPTIONS_BY_SITE] = "site"};
    int i = parse_choice(v, names, RXP_COUNT(names));
    if (i >= 0)
        o->by = (enum options_by)i;
    return i >= 0;
}

static bool set_on_error(struct options *o, struct word v) {
    static const char *const names[] = {[OPTIONS_STOP] = "stop", [OPTIONS_LOG] = "log"};
    int i = parse_choice(v, names, RXP_COUNT(names));
    if (i >= 0)
        o->on_error = (enum options_on_error)i;
    return i >= 0;
}

static bool set_attach(struct options *o, struct word v) {
    if (word_is(v, "parent"))
        o->attach = OPTIONS_ATTACH_PARENT;
    else if (word_is(v, "user"))
        o->attach = OPTIONS_ATTACH_USER;
    else
        return false;
    return true;
}

static bool set_leaks(struct options *o, struct word v) {
    static const char *const names[] = {
        [OPTIONS_LEAKS_OFF] = "0", [OPTIONS_LEAKS_REPORT] = "1", [OPTIONS_LEAKS_FATAL] = "fatal"};
    int i = parse_choice(v, names, RXP_COUNT(names));
    if (i >= 0)
        o->leaks = (enum options_leaks)i;
    return i >= 0;
}

static bool set_strict(struct options *o, struct word v) {
    static const char *const names[] = {"irql", "foreign", "interior", "args"};
    bool all;
    if (parse_bool(v, &all)) {
        o->strict = all ? OPTIONS_STRICT_ALL : 0;
        return true;
    }
    uint32_t bits = 0;
    if (v.length > 0 && v.start[v.length - 1] == ',')
        return false;
    do {
        int i = parse_choice(word_next(&v, ','), names, RXP_COUNT(names));
        if (i < 0)
            return false;
        bits |= 1u << i;
    } while (v.length > 0);
    o->strict = bits;
    return true;
}

static bool set_stats(struct options *o, struct word v) {
    if (!word_is(v, "exit"))
        return false;
    o->stats_exit = true;
    return true;
}

static bool set_report(struct options *o, struct word v) {
    if (v.length == 0 || v.length >= sizeof o->report)
        return false;
    for (size_t i = 0; i < v.length; i++)
        o->report[i] = v.start[i];
    o->report[v.length] = '\0';
    return true;
}

static const struct option table[] = {
    {"attach", "parent or user", "who else may read this process's pool tables", set_attach},
    {"by", "module, site or tag", "what a row of the drop-in's table stands for", set_by},
    {"fill", "0 or 1", "checked build: fill fresh and freed blocks with a pattern", set_fill},
    {"leaks", "0, 1 or fatal", "checked build: list what was not freed at exit", set_leaks},
    {"limit", "a size such as 512M", "bytes that the pool may hold; 0 for no limit", set_limit},
    {"on_error", "stop or log", "what follows a report: the end, or going on", set_on_error},
    {"purge", "milliseconds", "how long idle memory may wait before it is given back", set_purge},
    {"quarantine", "a size such as 16M", "checked build: bytes of freed blocks that are kept",
     set_quarantine},
    {"report", "a file name of 1 to 255 bytes", "where reports go instead of stderr", set_report},
    {"stats", "exit", "print the pool table when the process exits", set_stats},
    {"strict", "0, 1 or a comma list of irql, foreign, interior and args",
     "rules that are not enforced by default", set_strict},
};

void options_defaults(struct options *out) {
    static const struct options defaults = {
        /* Some twenty thousand small blocks, blocks of up to 64 KiB; more would fall out of the second-
         * level cache between free and check, and a forked child would copy it page by page. */
        .quarantine = 4u << 20,
        .purge_ms = 1000,
        .fill = true,
    };
    *out = defaults;
}

static void say_help(void (*complain)(const char *line)) {
    char buffer[LINE_CAPACITY];
    struct text t;
    complain("RXPOOL_OPTIONS is key=value, separated by colons:");
    for (size_t i = 0; i < RXP_COUNT(table); i++) {
        text_init(&t, buffer, sizeof buffer);
        text_string(&t, "  ");
        text_string(&t, table[i].key);
        text_string(&t, "=  ");
        text_string(&t, table[i].help);
        text_string(&t, " (");
        text_string(&t, table[i].valid);
        text_char(&t, ')');
        complain(buffer);
    }
    complain("  help  this list");
}

static void complain_key(struct word key, void (*complain)(const char *line)) {
    char buffer[LINE_CAPACITY];
    struct text t;
    text_init(&t, buffer, sizeof buffer);
    text_string(&t, "RXPOOL_OPTIONS: '");
    text_bytes(&t, key.start, key.length < 64 ? key.length : 64);
    text_string(&t, "' is no key; valid are ");
    for (size_t i = 0; i < RXP_COUNT(table); i++) {
        text_string(&t, table[i].key);
        text_string(&t, ", ");
    }
    text_string(&t, "help");
    complain(buffer);
}

static void complain_value(const struct option *option, struct word value, bool given,
                           void (*complain)(const char *line)) {
    char buffer[LINE_CAPACITY];
    struct text t;
    text_init(&t, buffer, sizeof buffer);
    text_string(&t, "RXPOOL_OPTIONS: ");
    if (given) {
        text_char(&t, '\'');
        text_bytes(&t, value.start, value.length < 256 ? value.length : 256);
        text_string(&t, "' is no value for ");
        text_string(&t, option->key);
    } else {
        text_string(&t, option->key);
        text_string(&t, " needs a value");
    }
    text_string(&t, "; valid: ");
    text_string(&t, option->valid);
    complain(buffer);
}

/* One item of the specification; false when it was bad. */
static bool parse_item(struct options *out, struct word item, void (*complain)(const char *line)) {
    struct word value = item;
    struct word key = word_next(&value, '=');
    bool given = key.length < item.length;
    if (word_is(item, "help")) {
        say_help(complain);
        return true;
    }
    for (size_t i = 0; i < RXP_COUNT(table); i++) {
        if (!word_is(key, table[i].key))
            continue;
        if (given && table[i].set(out, value))
            return true;
        complain_value(&table[i], value, given, complain);
        return false;
    }
    complain_key(key, complain);
    return false;
}

unsigned options_parse(struct options *out, const char *spec, void (*complain)(const char *line)) {
    struct word rest = {spec, 0};
    unsigned bad = 0;
    while (spec[rest.length] != '\0')
        rest.length++;
    while (rest.length > 0) {
        struct word item = word_next(&rest, ':');
        if (item.length > 0 && !parse_item(out, item, complain))
            bad++;
    }
    return bad;
}

static void complain_on_stderr(const char *line) {
    char buffer[LINE_CAPACITY + 16];
    struct text t;
    text_init(&t, buffer, sizeof buffer);
    text_string(&t, "rxpool: ");
    text_string(&t, line);
    text_char(&t, '\n');
    plat_report(NULL, t.buffer, t.length);
}

const struct options *options_get(void) {
    enum { UNREAD, BEING_READ, SEALED };
    static struct options sealed;
    static _Atomic int state;
    if (RXP_LIKELY(atomic_load_explicit(&state, memory_order_acquire) == SEALED))
        return &sealed;
    int unread = UNREAD;
    if (atomic_compare_exchange_strong(&state, &unread, BEING_READ)) {
        options_defaults(&sealed);
        const char *spec = plat_options();
        if (spec != NULL)
            options_parse(&sealed, spec, complain_on_stderr);
        atomic_store_explicit(&state, SEALED, memory_order_release);
    }
    while (atomic_load_explicit(&state, memory_order_acquire) != SEALED)
        plat_yield();
    return &sealed;
}
