/* RXPOOL_OPTIONS: one table of keys, one parser; see options.h. */
#include "base/options.h"
#include "base/host.h"
#include "base/text.h"

#define LINE_CAPACITY 640

/* What is being complained of: too long for a kernel's stack. */
static char line[LINE_CAPACITY];

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

/* A comma list of at least one of `names` as bits; false when something else is in it. */
static bool parse_list(struct word v, const char *const names[], int count, uint32_t *out) {
    uint32_t bits = 0;
    if (v.length > 0 && v.start[v.length - 1] == ',')
        return false;
    do {
        int i = parse_choice(word_next(&v, ','), names, count);
        if (i < 0)
            return false;
        bits |= 1u << i;
    } while (v.length > 0);
    *out = bits;
    return true;
}

static bool set_on_error(struct options *o, struct word v) {
    static const char *const kinds[KINDS] = {
        [KIND_HEADER] = "header",   [KIND_UNDERRUN] = "underrun",
        [KIND_OVERRUN] = "overrun", [KIND_AFTER_FREE] = "after_free",
        [KIND_DOUBLE] = "double",   [KIND_ADDRESS] = "address",
        [KIND_TAG] = "tag",         [KIND_IRQL] = "irql",
        [KIND_ARGS] = "args",       [KIND_LEAK] = "leak",
        [KIND_GUARD] = "guard"};
    if (!word_is(v, "stop") && !word_is(v, "log"))
        return parse_list(v, kinds, KINDS, &o->logged);
    o->logged = word_is(v, "log") ? (1u << KINDS) - 1 : 0;
    return true;
}

static bool set_checked(struct options *o, struct word v) {
    return parse_bool(v, &o->checked);
}

static bool set_stacks(struct options *o, struct word v) {
    uint64_t depth;
    if (!parse_number(v, &depth) || depth > OPTIONS_STACK_MOST)
        return false;
    o->stacks = (uint32_t)depth;
    return true;
}

static bool set_sweep(struct options *o, struct word v) {
    return parse_number(v, &o->sweep);
}

static bool set_break(struct options *o, struct word v) {
    return parse_number(v, &o->break_at) && o->break_at != 0;
}

/* A list of patterns, none of them empty or longer than a tag's four characters with as many stars. */
static bool parse_tags(struct word v, char out[OPTIONS_TAGS]) {
    struct word rest = v;
    if (v.length == 0 || v.length >= OPTIONS_TAGS || v.start[v.length - 1] == ',')
        return false;
    while (rest.length > 0) {
        struct word pattern = word_next(&rest, ',');
        size_t characters = 0;
        for (size_t i = 0; i < pattern.length; i++)
            characters += pattern.start[i] != '*';
        if (pattern.length == 0 || characters > 4)
            return false;
    }
    for (size_t i = 0; i < v.length; i++)
        out[i] = v.start[i];
    out[v.length] = '\0';
    return true;
}

/* 1/N, a size (it begins with a digit), or TAGS. Items of each sort add up. */
static bool set_special(struct options *o, struct word v) {
    struct word rest = v;
    struct word first = word_next(&rest, '/');
    if (first.length < v.length)
        return word_is(first, "1") && parse_number(rest, &o->special_every) &&
               o->special_every != 0;
    if (v.length > 0 && v.start[0] >= '0' && v.start[0] <= '9')
        return parse_size(v, &o->special_size) && o->special_size != 0;
    return parse_tags(v, o->special_tags);
}

static bool set_special_side(struct options *o, struct word v) {
    static const char *const names[] = {[OPTIONS_SIDE_OVER] = "over",
                                        [OPTIONS_SIDE_UNDER] = "under",
                                        [OPTIONS_SIDE_EXACT] = "exact"};
    int i = parse_choice(v, names, RXP_COUNT(names));
    if (i >= 0)
        o->special_side = (enum options_side)i;
    return i >= 0;
}

/* Hexadecimal digits, 1 to 16 and all of them. */
static bool parse_hex(struct word w, uint64_t *out) {
    uint64_t value = 0;
    for (size_t i = 0; i < w.length; i++) {
        char c = w.start[i];
        bool letter = c >= 'a' && c <= 'f';
        if (!letter && (c < '0' || c > '9'))
            return false;
        value = value << 4 | (uint64_t)(letter ? c - 'a' + 10 : c - '0');
    }
    *out = value;
    return w.length > 0 && w.length <= 16;
}

/* @HASH, or several of them with commas between. */
static bool set_fail_stacks(struct options *o, struct word v) {
    uint64_t stack[OPTIONS_FAIL_STACKS_MOST] = {0};
    uint32_t count = 0;
    if (v.start[v.length - 1] == ',')
        return false;
    while (v.length > 0) {
        struct word item = word_next(&v, ',');
        if (item.length == 0 || item.start[0] != '@' || count == OPTIONS_FAIL_STACKS_MOST ||
            !parse_hex((struct word){item.start + 1, item.length - 1}, &stack[count++]))
            return false;
    }
    for (uint32_t i = 0; i < count; i++)
        o->fail_stack[i] = stack[i];
    o->fail_stacks = count;
    o->fail = OPTIONS_FAIL_STACKS;
    return true;
}

static bool set_fail(struct options *o, struct word v) {
    bool percent = v.length > 0 && v.start[v.length - 1] == '%';
    uint64_t number = 0;
    if (word_is(v, "new-stack")) {
        o->fail = OPTIONS_FAIL_STACK;
        return true;
    }
    if (v.length > 0 && v.start[0] == '@')
        return set_fail_stacks(o, v);
    v.length -= percent;
    if (!parse_number(v, &number) || number == 0 || (percent && number > 100))
        return false;
    o->fail = percent ? OPTIONS_FAIL_PERCENT : OPTIONS_FAIL_NTH;
    o->fail_number = number;
    return true;
}

static bool set_fail_tag(struct options *o, struct word v) {
    return parse_tags(v, o->fail_tags);
}

static bool set_fail_seed(struct options *o, struct word v) {
    return parse_number(v, &o->fail_seed);
}

static bool set_fail_type(struct options *o, struct word v) {
    static const char *const names[] = {"paged", "nonpaged"};
    int i = parse_choice(v, names, RXP_COUNT(names));
    if (i >= 0)
        o->fail_type = i == 0 ? OPTIONS_POOL_PAGED : OPTIONS_POOL_NONPAGED;
    return i >= 0;
}

/* MIN-MAX, or one size. */
static bool set_fail_size(struct options *o, struct word v) {
    struct word rest = v;
    struct word first = word_next(&rest, '-');
    uint64_t least, most;
    if (first.length == v.length)
        rest = first;
    if (!parse_size(first, &least) || !parse_size(rest, &most) || least > most)
        return false;
    o->fail_size_least = least;
    o->fail_size_most = most;
    return true;
}

static bool set_fail_most(struct options *o, struct word v) {
    return parse_number(v, &o->fail_most);
}

static bool set_fail_record(struct options *o, struct word v) {
    return parse_bool(v, &o->fail_record);
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
    return parse_list(v, names, RXP_COUNT(names), &o->strict);
}

static bool set_stats(struct options *o, struct word v) {
    if (!word_is(v, "exit"))
        return false;
    o->stats_exit = true;
    return true;
}

static bool parse_file(struct word v, char out[256]) {
    if (v.length == 0 || v.length >= 256)
        return false;
    for (size_t i = 0; i < v.length; i++)
        out[i] = v.start[i];
    out[v.length] = '\0';
    return true;
}

static bool set_report(struct options *o, struct word v) {
    return parse_file(v, o->report);
}

static bool set_fail_file(struct options *o, struct word v) {
    return parse_file(v, o->fail_file);
}

static const struct option table[] = {
    {"attach", "parent or user", "who else may read this process's pool tables", set_attach},
    {"break", "a number from 1 up",
     "stop, as at a breakpoint, at this allocation of a report's history", set_break},
    {"by", "module, site or tag", "what a row of the drop-in's table stands for", set_by},
    {"checked", "0 or 1", "drop-in: give every block a header, guards and a record", set_checked},
    {"fail", "a number N, a percentage P%, new-stack or @HASH",
     "fail the Nth allocation, so many of them, or the first of every call stack or of one",
     set_fail},
    {"fail_file", "a file name of 1 to 255 bytes",
     "call stacks that were failed: read at the start, and added to", set_fail_file},
    {"fail_most", "a number, 0 for no bound", "allocations that fail in one process",
     set_fail_most},
    {"fail_record", "0 or 1", "nothing fails, and what would have is listed at exit",
     set_fail_record},
    {"fail_seed", "a number", "which ones fail=P% takes", set_fail_seed},
    {"fail_size", "a size, or MIN-MAX", "allocations that may fail, by their bytes", set_fail_size},
    {"fail_tag", "a comma list of tags, with * and ?", "allocations that may fail", set_fail_tag},
    {"fail_type", "paged or nonpaged", "the pool whose allocations may fail", set_fail_type},
    {"fill", "0 or 1", "checked build: fill fresh and freed blocks with a pattern", set_fill},
    {"leaks", "0, 1 or fatal", "checked build: list what was not freed at exit", set_leaks},
    {"limit", "a size such as 512M", "bytes that the pool may hold; 0 for no limit", set_limit},
    {"on_error",
     "stop, log, or a comma list of header, underrun, overrun, after_free, double, address, tag, "
     "irql, args, leak and guard",
     "what follows a report: the end, or going on; a list: going on after these", set_on_error},
    {"purge", "milliseconds", "how long idle memory may wait before it is given back", set_purge},
    {"quarantine", "a size such as 16M", "checked build: bytes of freed blocks that are kept",
     set_quarantine},
    {"report", "a file name of 1 to 255 bytes", "where reports go instead of stderr", set_report},
    {"special", "a comma list of tags with * and ?, a size such as 64, or 1/N",
     "blocks that get a guard page of their own", set_special},
    {"special_side", "over, under or exact",
     "the end of a block at which its guard page lies; exact: to the byte, whatever the alignment",
     set_special_side},
    {"stacks", "0 to 32", "checked build: frames of the call stack that a record keeps",
     set_stacks},
    {"stats", "exit", "print the pool table when the process exits", set_stats},
    {"strict", "0, 1 or a comma list of irql, foreign, interior and args",
     "rules that are not enforced by default", set_strict},
    {"sweep", "a number, 0 for never",
     "checked build: check one more live block every so many calls", set_sweep},
};

static bool pattern_fits(struct word p, const char *s, size_t length) {
    if (p.length == 0)
        return length == 0;
    struct word rest = {p.start + 1, p.length - 1};
    if (p.start[0] == '*')
        return pattern_fits(rest, s, length) || (length > 0 && pattern_fits(p, s + 1, length - 1));
    return length > 0 && (p.start[0] == '?' || p.start[0] == s[0]) &&
           pattern_fits(rest, s + 1, length - 1);
}

bool options_tag_in(const char *tags, uint32_t tag) {
    struct word rest = {tags, 0};
    char s[4];
    size_t length = 0;
    for (; length < sizeof s && tag >> 8 * length != 0; length++)
        s[length] = (char)(tag >> 8 * length);
    while (tags[rest.length] != '\0')
        rest.length++;
    while (rest.length > 0)
        if (pattern_fits(word_next(&rest, ','), s, length))
            return true;
    return false;
}

void options_defaults(struct options *out) {
    static const struct options defaults = {
        /* Some twenty thousand small blocks, blocks of up to 64 KiB; more would fall out of the second-
         * level cache between free and check, and a forked child would copy it page by page. */
        .quarantine = 1u << 20,
        .purge_ms = 1000,
        .fail_size_most = UINT64_MAX,
        .fill = true,
    };
    *out = defaults;
}

static void say_help(void (*complain)(const char *line)) {
    struct text t;
    complain("RXPOOL_OPTIONS is key=value, separated by colons:");
    for (size_t i = 0; i < RXP_COUNT(table); i++) {
        text_init(&t, line, sizeof line);
        text_string(&t, "  ");
        text_string(&t, table[i].key);
        text_string(&t, "=  ");
        text_string(&t, table[i].help);
        text_string(&t, " (");
        text_string(&t, table[i].valid);
        text_char(&t, ')');
        complain(line);
    }
    complain("  help  this list");
}

static void complain_key(struct word key, void (*complain)(const char *line)) {
    struct text t;
    text_init(&t, line, sizeof line);
    text_string(&t, "RXPOOL_OPTIONS: '");
    text_bytes(&t, key.start, key.length < 64 ? key.length : 64);
    text_string(&t, "' is no key; valid are ");
    for (size_t i = 0; i < RXP_COUNT(table); i++) {
        text_string(&t, table[i].key);
        text_string(&t, ", ");
    }
    text_string(&t, "help");
    complain(line);
}

static void complain_value(const struct option *option, struct word value, bool given,
                           void (*complain)(const char *line)) {
    struct text t;
    text_init(&t, line, sizeof line);
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
    complain(line);
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

static void complain_on_stderr(const char *complaint) {
    static char buffer[LINE_CAPACITY + 16];
    struct text t;
    text_init(&t, buffer, sizeof buffer);
    text_string(&t, "rxpool: ");
    text_string(&t, complaint);
    text_char(&t, '\n');
    plat_report(NULL, t.buffer, t.length);
}

_Atomic(const struct options *) options_sealed;

const struct options *options_read(void) {
    enum { UNREAD, BEING_READ };
    static struct options options;
    static _Atomic int state;
    int unread = UNREAD;
    if (atomic_compare_exchange_strong(&state, &unread, BEING_READ)) {
        options_defaults(&options);
        const char *spec = plat_options();
        if (spec != NULL)
            options_parse(&options, spec, complain_on_stderr);
        atomic_store_explicit(&options_sealed, &options, memory_order_release);
    }
    const struct options *sealed;
    while ((sealed = atomic_load_explicit(&options_sealed, memory_order_acquire)) == NULL)
        plat_yield();
    return sealed;
}
