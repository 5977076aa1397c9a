/*
 * Sites by file and line: see sites.h. Sites and names are only ever added, and published by one release store,
 * so a look-up takes no lock.
 */
#include "check/sites.h"

#include <stdatomic.h>
#include <string.h>

#include "base/frames.h"
#include "check/report.h"
#include "check/stacks.h"
#include "check/wide.h"
#include "plat/plat.h"

#define PAGE ((uintptr_t)4096)
#define SITES_MAX 65536u /* less where address space is short */
#define SITES_MIN 1024u
#define SITE_NAME_BYTES                                                                            \
    ((size_t)64) /* for each site, on average: the sites of a file share its name */
#define NAME_MAX 1023u
#define WORD sizeof(uint64_t)

_Atomic(const struct known_site *) sites_cache[1u << SITES_CACHE_BITS];

static struct {
    struct plat_lock lock;
    bool started, refused;
    struct known_site *site; /* [most], 0 unused */
    uint32_t *index;         /* [2 * most]: ids by hash of name and line, open addressing */
    char *names;
    uint32_t most; /* a power of two */
    size_t names_used;
    uint32_t count;
} sites;

static uint32_t compared_of(uint32_t length) {
    return length + (length < NAME_MAX);
}

static uint32_t hash_name(const char *name, uint32_t length, uint32_t line) {
    uint32_t h = 2166136261u ^ line;
    for (uint32_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)name[i]) * 16777619u;
    return h ^ h >> 15;
}

RXP_READS_BEYOND RXP_INLINE uint64_t word_at(const unsigned char *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

RXP_READS_BEYOND static bool same_short_name(const unsigned char *copy, const unsigned char *is,
                                             size_t bytes) {
    if (bytes < WORD)
        return (word_at(copy) ^ word_at(is)) << 8 * (WORD - bytes) == 0;
    return ((word_at(copy) ^ word_at(is)) |
            (word_at(copy + bytes - WORD) ^ word_at(is + bytes - WORD))) == 0;
}

/*
 * Whether `name` is this site's text, its end included. Compared 16 bytes at a time, the last 16 once more, where that
 * stays in the page that `name` begins in: another, shorter text may have taken its place, but the page can be read.
 */
RXP_READS_BEYOND RXP_INLINE bool same_name(const struct known_site *s, const char *name) {
    const unsigned char *copy = (const unsigned char *)s->name, *is = (const unsigned char *)name;
    size_t bytes = s->compared, i = 0;
    if (RXP_UNLIKELY((uintptr_t)name % PAGE + bytes + WORD > PAGE)) {
        while (i < bytes && copy[i] == is[i])
            i++;
        return i == bytes;
    }
    if (RXP_UNLIKELY(bytes < sizeof(wide)))
        return same_short_name(copy, is, bytes);
    wide changed =
        wide_xor(wide_load(copy + bytes - sizeof(wide)), wide_load(is + bytes - sizeof(wide)));
    for (; i + sizeof(wide) < bytes; i += sizeof(wide))
        changed = wide_or(changed, wide_xor(wide_load(copy + i), wide_load(is + i)));
    return wide_is_zero(changed);
}

static size_t names_bytes(void) {
    return sites.most * SITE_NAME_BYTES;
}

static size_t table_bytes(void) {
    return sites.most * (sizeof(struct known_site) + 2 * sizeof(uint32_t)) + names_bytes();
}

static bool start(void) {
    sites.most = SITES_MAX;
    while (sites.most > SITES_MIN && table_bytes() > plat_address_space_left() / 16)
        sites.most /= 2;
    unsigned char *base = plat_reserve(table_bytes(), (size_t)64 << 10);
    if (base == NULL || !plat_commit(base, table_bytes()))
        return false;
    sites.site = (struct known_site *)(void *)base;
    sites.index = (uint32_t *)(void *)(sites.site + sites.most);
    sites.names = (char *)(sites.index + 2 * sites.most);
    sites.count = 1;
    return true;
}

void sites_close(void) {
    for (size_t i = 0; i < RXP_COUNT(sites_cache); i++)
        atomic_store_explicit(&sites_cache[i], NULL, memory_order_relaxed);
    if (sites.site != NULL)
        plat_release(sites.site, table_bytes());
    sites.site = NULL;
    sites.names_used = 0;
    sites.started = sites.refused = false;
}

static void fork_prepare(void) {
    plat_lock_acquire(&sites.lock);
}

static void fork_done(void) {
    plat_lock_release(&sites.lock);
}

void sites_watch_forks(void) {
    static bool watches;
    if (!watches) {
        watches = true;
        plat_at_fork(fork_prepare, fork_done, fork_done);
        sites_watch_forks_pc();
    }
}

/* The slot of the index that holds this site, or the free one where it belongs. The lock is held. */
static uint32_t *index_slot(const char *name, uint32_t length, uint32_t line) {
    uint32_t i = hash_name(name, length, line);
    for (;; i++) {
        uint32_t *slot = &sites.index[i % (2 * sites.most)];
        const struct known_site *s = &sites.site[*slot];
        if (*slot == 0 ||
            (s->line == line && s->compared == compared_of(length) && same_name(s, name)))
            return slot;
    }
}

/* Enters a site. The lock is held. */
static uint32_t add_site(const char *name, uint32_t length, uint32_t line) {
    if (sites.count == sites.most || sites.names_used + length + WORD > names_bytes())
        return 0;
    struct known_site *s = &sites.site[sites.count];
    const struct known_site *last = s - 1; /* the sites of a file come one after the other */
    s->line = line;
    s->compared = compared_of(length);
    if (sites.count > 1 && last->compared == s->compared && same_name(last, name)) {
        s->name = last->name;
    } else {
        char *copy = sites.names + sites.names_used;
        for (uint32_t i = 0; i < length; i++)
            copy[i] = name[i];
        copy[length] = '\0';
        sites.names_used += length + 1;
        s->name = copy;
    }
    s->id = sites.count;
    atomic_store_explicit(&s->constant, s->name, memory_order_relaxed);
    return sites.count++;
}

static RXP_NOINLINE uint32_t intern_slow(const char *file, uint32_t line) {
    uint32_t length = 0, id = 0;
    bool constant = plat_is_constant(file);
    while (length < NAME_MAX && file[length] != '\0')
        length++;
    plat_lock_acquire(&sites.lock);
    if (!sites.started) {
        sites.started = true;
        sites.refused = !start();
        sites_watch_forks();
    }
    if (!sites.refused) {
        uint32_t *slot = index_slot(file, length, line);
        if (*slot == 0)
            *slot = add_site(file, length, line);
        id = *slot;
    }
    if (id != 0) {
        struct known_site *s = &sites.site[id];
        if (constant)
            atomic_store_explicit(&s->constant, file, memory_order_relaxed);
        atomic_store_explicit(sites_cached(file, line), s, memory_order_release);
    }
    plat_lock_release(&sites.lock);
    return id;
}

RXP_INLINE uint32_t intern(const char *file, uint32_t line) {
    const struct known_site *s = sites_known(file, line);
    if (RXP_LIKELY(s != NULL))
        return s->id;
    /* Text that is not constant is compared: another module may have been loaded at the same address. */
    s = atomic_load_explicit(sites_cached(file, line), memory_order_acquire);
    return s != NULL && s->line == line && same_name(s, file) ? s->id : intern_slow(file, line);
}

uint32_t sites_intern(const char *file, uint32_t line) {
    return file != NULL ? intern(file, line) : 0;
}

RXP_INLINE uint32_t plain_site(const struct caller *c) {
    return c->file != NULL ? intern(c->file, c->line) : sites_intern_pc(c->pc);
}

static RXP_NOINLINE uint32_t stack_of(const struct caller *c) {
    return stacks_here(plain_site(c), c->pc);
}

uint32_t sites_of(const struct caller *c) {
    if (RXP_UNLIKELY(atomic_load_explicit(&stacks_depth, memory_order_relaxed) != 0))
        return stack_of(c);
    return plain_site(c);
}

bool sites_get(uint32_t id, struct site *out) {
    if (id == 0)
        return false;
    if ((id & SITE_STACK) != 0)
        return sites_get(stacks_site(id), out);
    if ((id & SITE_PC) != 0)
        sites_get_pc(id, out);
    else
        *out = (struct site){sites.site[id].name, sites.site[id].line, NULL, NULL, 0};
    return true;
}

void sites_put(struct text *out, uint32_t id) {
    struct site s;
    if (!sites_get(id, &s))
        return;
    if (s.file != NULL) {
        text_string(out, s.file);
        text_char(out, ':');
        text_decimal(out, s.line);
    } else {
        frames_put_place(out, s.module, s.offset, s.pc);
    }
}
