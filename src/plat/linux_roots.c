/*
 * plat/scan.h on Linux: reading what a program may keep pointers in.
 *
 * The mappings of /proc/self/maps, less the project's reservations, less what lies unused on the
 * stacks of stopped threads. Of each, the pages that linux_pages.c tells to be there: of a writable
 * mapping any, of another private one those that were written once (relocated tables, data that the
 * program has sealed). Where it can't tell, all pages of writable mappings.
 *
 * Everything is read by process_vm_readv: a page that is behind the end of a file, a guard or a
 * device is an error there, and a fault anywhere else.
 */
#define _GNU_SOURCE
#include "plat/linux_scan.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SMALL                                                                                      \
    SCAN_PAGE /* a smaller block shares its page with others: nobody can have taken it away */

struct mapping {
    uintptr_t start, end;
    bool readable, writable, inaccessible, shared;
    const char *name; /* empty for none */
};

/* Lines of a file of /proc. */
struct lines {
    size_t at, have;
};

/* Memory that is being read, piece by piece. */
struct reading {
    const struct plat_scan_visitor *visitor;
    struct mapping mapping;
    uintptr_t unused_end; /* [mapping.start, unused_end) is a stack's unused part */
};

/* --- words ----------------------------------------------------------------------------------- */

/* Reads [start, end), of which parts may not be there. */
static void read_words(uintptr_t start, uintptr_t end, const struct plat_scan_visitor *visitor) {
    start = rxp_round_up(start, sizeof(uintptr_t));
    while (start + sizeof(uintptr_t) <= end) {
        size_t want = end - start < SCAN_BUFFER_BYTES ? end - start : SCAN_BUFFER_BYTES;
        size_t n = scan_read(start, scan_memory->buffer, want) & ~(sizeof(uintptr_t) - 1);
        visitor->words(visitor->argument, scan_memory->buffer, n / sizeof(uintptr_t));
        start =
            n + sizeof(uintptr_t) > want ? start + want : ((start + n) / SCAN_PAGE + 1) * SCAN_PAGE;
    }
}

/* Copied first: another thread may go on writing to the block, and only this function is to know. */
__attribute__((no_sanitize("thread", "address"))) static void
copy_words(const volatile uintptr_t *from, size_t words) {
    for (size_t i = 0; i < words; i++)
        scan_memory->buffer[i] = from[i];
}

void plat_scan_memory(const void *start, size_t bytes, const struct plat_scan_visitor *visitor) {
    size_t words = bytes / sizeof(uintptr_t);
    if (bytes >= SMALL || scan_memory->unstopped != 0) {
        read_words((uintptr_t)start, (uintptr_t)start + bytes, visitor);
    } else if (words != 0) {
        copy_words(start, words);
        visitor->words(visitor->argument, scan_memory->buffer, words);
    }
}

/* --- pages ----------------------------------------------------------------------------------- */

/* What is left of a mapping when reservations and unused stack are taken off it. */
static void read_part(uintptr_t start, uintptr_t end, const struct reading *r) {
    uintptr_t at = start / SCAN_PAGE * SCAN_PAGE, from, to;
    while (scan_next_pages(&at, end, r->mapping.writable, &from, &to))
        read_words(from < start ? start : from, to < end ? to : end, r->visitor);
    if (at < end && r->mapping.writable)
        read_words(at < start ? start : at, end, r->visitor);
}

/* --- mappings -------------------------------------------------------------------------------- */

/* The next line, terminated; NULL after the last. */
static char *next_line(struct lines *l) {
    char *text = scan_memory->text, *end;
    while ((end = memchr(text + l->at, '\n', l->have - l->at)) == NULL) {
        memmove(text, text + l->at, l->have - l->at);
        l->have -= l->at;
        l->at = 0;
        ssize_t n = read(scan_memory->maps, text + l->have, SCAN_TEXT_BYTES - l->have);
        if (n <= 0)
            return NULL;
        l->have += (size_t)n;
    }
    char *line = text + l->at;
    *end = '\0';
    l->at = (size_t)(end - text) + 1;
    return line;
}

/* 7f0000000000-7f0000021000 rw-p 00000000 00:00 0    NAME */
static void parse_mapping(const char *line, struct mapping *out) {
    char *at;
    out->start = strtoul(line, &at, 16);
    out->end = strtoul(at + 1, &at, 16);
    out->readable = at[1] == 'r';
    out->writable = at[2] == 'w';
    out->inaccessible = strncmp(at + 1, "---", 3) == 0;
    out->shared = at[4] == 's';
    for (int field = 0; field < 4; field++) {
        at += strspn(at, " ");
        at += strcspn(at, " ");
    }
    out->name = at + strspn(at, " ");
}

/* Shared memory, as opposed to a file that is edited in place. */
static bool is_memory(const char *name) {
    static const char *const names[] = {"/dev/zero", "/dev/shm/", "/memfd:", "/SYSV"};
    for (unsigned i = 0; i < RXP_COUNT(names); i++) {
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return true;
    }
    return false;
}

static bool may_hold_pointers(const struct mapping *m) {
    return m->readable && (m->shared ? m->writable && is_memory(m->name) : true);
}

/* --- stacks ---------------------------------------------------------------------------------- */

/*
 * The end of the part of this mapping that lies unused below the thread's stack pointer; its start where
 * the mapping is not known to be a stack and nothing else: the first thread's, or one with an
 * inaccessible mapping below it and the thread's own structure above.
 */
static uintptr_t unused_stack(const struct scan_thread *t, const struct mapping *m, bool guarded) {
    uintptr_t sp = t->stack_pointer - SCAN_RED_ZONE;
    if (sp < m->start || sp >= m->end)
        return m->start;
    bool first = strcmp(m->name, "[stack]") == 0;
    bool pthread = guarded && t->thread_pointer > sp && t->thread_pointer < m->end;
    return first || pthread ? sp : m->start;
}

static uintptr_t unused_part(const struct mapping *m, bool guarded) {
    uintptr_t end = unused_stack(&scan_memory->self, m, guarded);
    for (unsigned i = 0; i < scan_memory->threads; i++) {
        const struct scan_thread *t = &scan_memory->thread[i];
        if (atomic_load_explicit(&t->state, memory_order_acquire) == SCAN_THREAD_STOPPED &&
            unused_stack(t, m, guarded) > end)
            end = unused_stack(t, m, guarded);
    }
    return end;
}

static void visit_thread(const struct scan_thread *t, const struct plat_scan_visitor *visitor) {
    visitor->words(visitor->argument, t->registers, SCAN_REGISTERS);
    if (t->vectors != 0)
        read_words(t->vectors, t->vectors + t->vector_bytes, visitor);
}

/* --- all of it ------------------------------------------------------------------------------- */

static void read_mapping(const struct reading *r) {
    uintptr_t at = r->unused_end, start, end;
    while (at < r->mapping.end) {
        bool more = linux_reservation(at, &start, &end) && start < r->mapping.end;
        uintptr_t to = more ? start : r->mapping.end;
        if (at < to)
            read_part(at, to, r);
        at = more ? end : to;
    }
}

void plat_scan_roots(const struct plat_scan_visitor *visitor) {
    struct reading r = {.visitor = visitor};
    struct lines lines = {0, 0};
    uintptr_t guard_end = 0;
    const char *line;
    visit_thread(&scan_memory->self, visitor);
    for (unsigned i = 0; i < scan_memory->threads; i++) {
        const struct scan_thread *t = &scan_memory->thread[i];
        if (atomic_load_explicit(&t->state, memory_order_acquire) == SCAN_THREAD_STOPPED)
            visit_thread(t, visitor);
    }
    while ((line = next_line(&lines)) != NULL) {
        parse_mapping(line, &r.mapping);
        bool guarded = guard_end == r.mapping.start;
        guard_end = r.mapping.inaccessible ? r.mapping.end : 0;
        if (!may_hold_pointers(&r.mapping))
            continue;
        r.unused_end = unused_part(&r.mapping, guarded);
        read_mapping(&r);
    }
}
