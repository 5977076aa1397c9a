/*
 * Call sites under 32-bit ids that are never given back:
 *
 *   0                 unknown
 *   1 ...             a file name and a line (sites.c)
 *   SITE_PC | n       a return address (sites_pc.c)
 *   SITE_STACK | n    a call stack: a site of the two kinds above and the frames behind it (stacks.h)
 *
 * A site outlives the module that it lies in: __FILE__ of an unloaded module dangles, so names are
 * copied; of a return address the module's name and the offset in it are kept from the first use on.
 */
#ifndef RXPOOL_CHECK_SITES_H
#define RXPOOL_CHECK_SITES_H

#include <stdatomic.h>

#include "base/text.h"

#define SITE_STACK 0x80000000u
#define SITE_PC 0x40000000u

struct caller;

/* What is known of a site; pointers are valid for ever. */
struct site {
    const char *file; /* NULL: a return address */
    uint32_t line;
    const void *pc;
    const char *module; /* the path that it was loaded from; NULL: in no module */
    uint64_t offset;    /* of pc in the module */
};

/* A file and a line. */
struct known_site {
    const char *name; /* our copy */
    /* Where the text lies that a caller showed, if it never changes there; else what `name` is. */
    _Atomic(const char *) constant;
    uint32_t id, line;
    uint32_t compared; /* bytes of the name: its end is one of them, unless it was cut */
};

#define SITES_CACHE_BITS 10
/* By address of the name and line: what may be right. Published by release: who finds a site finds it filled in. */
extern RXP_HIDDEN _Atomic(const struct known_site *) sites_cache[1u << SITES_CACHE_BITS];

RXP_INLINE _Atomic(const struct known_site *) *sites_cached(const char *file, uint32_t line) {
    uint64_t h = ((uint64_t)(uintptr_t)file + line) * 0x9E3779B97F4A7C15u;
    return &sites_cache[h >> (64 - SITES_CACHE_BITS)];
}

/* Whether it is the site of these, which may be another one than of those that are spelt alike. */
RXP_INLINE bool sites_is(const struct known_site *s, const char *file, uint32_t line) {
    return atomic_load_explicit(&s->constant, memory_order_relaxed) == file && s->line == line;
}

/* The site, where it is known by the address of a text that never changes; else NULL. */
RXP_INLINE const struct known_site *sites_known(const char *file, uint32_t line) {
    const struct known_site *s =
        atomic_load_explicit(sites_cached(file, line), memory_order_acquire);
    return RXP_LIKELY(s != NULL && sites_is(s, file, line)) ? s : NULL;
}

/* The id of file:line, entered at first use; 0 for a NULL file, or when there is no room. Any IRQL <= DISPATCH. */
uint32_t sites_intern(const char *file, uint32_t line);
/*
 * The id of the place that a live call returns to, entered at first use; 0 for NULL, or when there is no
 * room. A known one costs about 20 instructions and no lock. Any IRQL <= DISPATCH.
 */
uint32_t sites_intern_pc(const void *pc);
/*
 * Where the caller stands: by file and line where they are known, else by its return address; with
 * stacks=, the stack that it stands on (stacks.h).
 */
uint32_t sites_of(const struct caller *c);

/* Registers the fork handlers of both kinds of sites, at the first call. */
void sites_watch_forks(void);

/* False for 0. A stack answers its own site. */
bool sites_get(uint32_t id, struct site *out);
/* Appends FILE:LINE, MODULE+0xOFFSET or 0xPC (base/frames.h); nothing for 0. */
void sites_put(struct text *out, uint32_t id);
/* Gives back the memory of sites by file and line: all ids are forgotten. Nobody else calls meanwhile. */
void sites_close(void);

/* For sites.c: the fork handlers of its kind, and sites_get of a SITE_PC id. */
void sites_watch_forks_pc(void);
void sites_get_pc(uint32_t id, struct site *out);

#endif
