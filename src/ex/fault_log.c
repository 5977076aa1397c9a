/* What was failed on purpose, in the words of reports: see fault_log.h. */
#include "ex/fault_log.h"

#include "base/stop.h"
#include "ex/fault_stacks.h"
#include "plat/plat.h"

#define KEPT OPTIONS_FAIL_STACKS_MOST /* a replay names them all, or the last of them */
#define SITE_CAPACITY 512
#define FRAMES_MOST 16u /* looked at for the caller of a library that asked on somebody's behalf */

struct failure {
    uint64_t number; /* of the request */
    uint64_t stack, size;
    uint32_t tag;
    char site[SITE_CAPACITY];
};

static struct {
    struct plat_lock lock; /* nothing is called with it held; who does not get it does without */
    _Atomic bool refused;  /* said that fail_file= cannot be written */
    uint64_t count;
    struct failure last[KEPT]; /* failure i in last[i % KEPT] */
} faults;

/* A thread that was interrupted while it held the lock must not be waited for by its own handler. */
static bool lock_patiently(void) {
    for (unsigned i = 0; i < 1000; i++) {
        if (plat_lock_try(&faults.lock))
            return true;
        plat_yield();
    }
    return false;
}

void fault_log_note(const char *line, const char *file) {
    char buffer[400];
    struct text t;

    text_init(&t, buffer, sizeof buffer);
    text_string(&t, "rxpool: ");
    text_string(&t, line);
    text_string(&t, file);
    text_char(&t, '\n');
    plat_report(NULL, t.buffer, t.length);
}

/* --- entering ----------------------------------------------------------------------------------- */

/* MODULE+0xOFFSET, the module by its path, or an address. Answers the path. */
static const char *put_address(struct text *t, const void *pc) {
    uint64_t offset;
    const char *path = pc != NULL ? plat_module_of(pc, &offset) : NULL;

    if (path != NULL) {
        text_string(t, path);
        text_char(t, '+');
        text_address(t, offset);
    } else if (pc != NULL) {
        text_address(t, (uintptr_t)pc);
    } else {
        text_string(t, "an unknown place");
    }
    return path;
}

/* The call behind a library's own: the first frame that is in another module. */
static void put_behind(struct text *t, const void *pc, const char *path) {
    const void *frame[FRAMES_MOST];
    unsigned count = plat_backtrace(pc, frame, FRAMES_MOST);
    uint64_t offset;

    for (unsigned i = 1; i < count; i++) {
        if (plat_module_of(frame[i], &offset) == path)
            continue;
        text_string(t, " from ");
        put_address(t, frame[i]);
        return;
    }
}

/* The program itself has no library in front of it that could be meant: its start is in libc. */
static void put_site(struct text *t, const struct fault_request *r) {
    if (r->file != NULL) {
        text_string(t, r->file);
        text_char(t, ':');
        text_decimal(t, r->line);
        return;
    }
    const char *path = put_address(t, r->caller);
    if (path != NULL && path != plat_program())
        put_behind(t, r->caller, path);
}

void fault_log_add(const struct fault_request *request, uint64_t number, uint64_t stack,
                   bool fresh) {
    const struct options *o = options_get();
    struct failure f = {
        .number = number, .stack = stack, .size = request->size, .tag = request->tag};
    struct text t;

    text_init(&t, f.site, sizeof f.site);
    put_site(&t, request);
    if (lock_patiently()) {
        faults.last[faults.count++ % KEPT] = f;
        plat_lock_release(&faults.lock);
    }
    if (fresh && o->fail_file[0] != '\0' && !o->fail_record &&
        !fault_stack_append(o->fail_file, stack, f.site) && !atomic_exchange(&faults.refused, true))
        fault_log_note("fail_file= cannot be written: ", o->fail_file);
}

/* --- replay ------------------------------------------------------------------------------------- */

static bool begins(const char *s, const char *word) {
    while (*word != '\0' && *s == *word) {
        s++;
        word++;
    }
    return *word == '\0';
}

static size_t item_length(const char *s) {
    size_t length = 0;

    while (s[length] != '\0' && s[length] != ':')
        length++;
    return length;
}

/* The options as given, but for the items that a replay has to do without. */
static void put_given(struct text *t, bool by_stack) {
    const char *s = plat_options();

    for (size_t length; s != NULL && *s != '\0'; s += length + (s[length] == ':')) {
        length = item_length(s);
        bool left_out = begins(s, "fail_file=") || begins(s, "fail_record=") ||
                        begins(s, "report=") ||
                        (by_stack && (begins(s, "fail=") || begins(s, "fail_most=")));
        if (length == 0 || left_out)
            continue;
        text_bytes(t, s, length);
        text_char(t, ':');
    }
}

/* The lock is held. */
static void put_stacks(struct text *t) {
    uint64_t first = faults.count > KEPT ? faults.count - KEPT : 0;

    text_string(t, "fail=");
    for (uint64_t i = first; i < faults.count; i++) {
        text_string(t, i == first ? "@" : ",@");
        static const char digits[] = "0123456789abcdef";
        for (unsigned shift = 64; shift > 0; shift -= 4)
            text_char(t, digits[faults.last[i % KEPT].stack >> (shift - 4) & 15]);
    }
}

/* RXPOOL_OPTIONS for a run in which the same fails. The lock is held. */
static void put_replay(struct text *t) {
    bool by_stack = options_get()->fail == OPTIONS_FAIL_STACK;

    put_given(t, by_stack);
    if (by_stack)
        put_stacks(t);
    else if (t->length > 0 && t->buffer[t->length - 1] == ':')
        t->buffer[--t->length] = '\0';
}

/* As a shell takes it for one word. */
static void put_quoted(struct text *t, const char *s) {
    static const char plain[] = "=:,.@%_-/+*?";
    bool safe = true;

    for (const char *c = s; *c != '\0' && safe; c++) {
        const char *p = plain;
        while (*p != '\0' && *p != *c)
            p++;
        safe = *p != '\0' || (*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') ||
               (*c >= 'a' && *c <= 'z');
    }
    text_string(t, safe ? "" : "'");
    for (; *s != '\0'; s++) {
        if (*s == '\'')
            text_string(t, "'\\'");
        text_char(t, *s);
    }
    text_string(t, safe ? "" : "'");
}

/* --- what is said ------------------------------------------------------------------------------- */

static void trailer(struct text *out) {
    char buffer[1024];
    struct text replay;

    text_init(&replay, buffer, sizeof buffer);
    if (!lock_patiently())
        return;
    if (faults.count != 0) {
        const struct failure *last = &faults.last[(faults.count - 1) % KEPT];
        text_string(out, "injected: ");
        text_decimal(out, faults.count);
        text_string(out, faults.count == 1 ? " failure, the last at " : " failures, the last at ");
        text_string(out, last->site);
        text_string(out, " (allocation ");
        text_decimal(out, last->number);
        text_string(out, ")\nreplay: RXPOOL_OPTIONS=");
        put_replay(&replay);
        put_quoted(out, buffer);
        text_char(out, '\n');
    }
    plat_lock_release(&faults.lock);
}

static void say(struct text *t) {
    text_char(t, '\n');
    plat_report(options_get()->report, t->buffer, t->length);
}

/* fail_record=1: how many, and the last of them. */
static void list_at_exit(void) {
    char buffer[SITE_CAPACITY + 128];
    struct text t;
    uint64_t first = faults.count > KEPT ? faults.count - KEPT : 0;

    if (faults.count == 0)
        return;
    text_init(&t, buffer, sizeof buffer);
    text_string(&t, "*** FAIL RECORD: ");
    text_decimal(&t, faults.count);
    text_string(&t, faults.count == 1 ? " allocation" : " allocations");
    text_string(&t, " would have failed");
    say(&t);
    for (uint64_t i = first; i < faults.count; i++) {
        const struct failure *f = &faults.last[i % KEPT];
        text_init(&t, buffer, sizeof buffer);
        text_string(&t, "would fail: allocation ");
        text_decimal(&t, f->number);
        text_string(&t, ", ");
        text_decimal(&t, f->size);
        text_string(&t, f->size == 1 ? " byte tag " : " bytes tag ");
        text_tag(&t, f->tag & 0x7FFFFFFFu);
        text_string(&t, " at ");
        text_string(&t, f->site);
        say(&t);
    }
}

/* --- start -------------------------------------------------------------------------------------- */

static void fork_prepare(void) {
    plat_lock_acquire(&faults.lock);
}

static void fork_done(void) {
    plat_lock_release(&faults.lock);
}

void fault_log_start(void) {
    plat_at_fork(fork_prepare, fork_done, fork_done);
    if (!options_get()->fail_record)
        stop_set_trailer(trailer);
    else if (!plat_at_exit(list_at_exit))
        fault_log_note("fail_record=1: there is no room to list at exit", "");
}
