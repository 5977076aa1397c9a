/*
 * Call sites: see sites.h. Sites and names are only ever added, and published by one release store,
 * so a look-up takes no lock.
 */
#include "check/sites.h"

#include <stdatomic.h>
#include <string.h>

#include "plat/plat.h"

#define PAGE ((uintptr_t)4096)
#define SITES_MAX 65536u
#define NAMES_BYTES ((size_t)4 << 20)
#define NAME_MAX 1023u
#define CACHE_BITS 10
#define INDEX_SLOTS (2 * SITES_MAX)

struct known_site {
    const char *name; /* our copy */
    uint32_t line;
    uint32_t length;
};

static struct {
    _Atomic uint32_t
        cache[1u << CACHE_BITS]; /* by address of the name and line: ids that may be right */
    struct plat_lock lock;
    bool started, refused;
    struct known_site *site; /* [SITES_MAX], 0 unused */
    uint32_t *index;         /* [INDEX_SLOTS]: ids by hash of name and line, open addressing */
    char *names;
    size_t names_used;
    uint32_t count;
} sites;

static uint32_t hash_name(const char *name, uint32_t length, uint32_t line) {
    uint32_t h = 2166136261u ^ line;
    for (uint32_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)name[i]) * 16777619u;
    return h ^ h >> 15;
}

/*
 * Whether `name` is this site's text. Compared eight bytes at a time where that stays in the page that
 * `name` begins in: another, shorter text may have taken its place, but the page can be read.
 */
static bool same_name(const struct known_site *s, const char *name) {
    const char *copy = s->name;
    size_t i = 0;
    if ((uintptr_t)name % PAGE + s->length < PAGE) {
        for (; i + sizeof(uint64_t) <= s->length; i += sizeof(uint64_t)) {
            uint64_t a, b;
            memcpy(&a, copy + i, sizeof a);
            memcpy(&b, name + i, sizeof b);
            if (a != b)
                return false;
        }
    }
    while (copy[i] == name[i] && copy[i] != '\0')
        i++;
    return copy[i] == name[i] || i == NAME_MAX;
}

static bool start(void) {
    size_t sites_bytes = SITES_MAX * sizeof(struct known_site);
    size_t index_bytes = INDEX_SLOTS * sizeof(uint32_t);
    size_t size = sites_bytes + index_bytes + NAMES_BYTES;
    unsigned char *base = plat_reserve(size, (size_t)64 << 10);
    if (base == NULL || !plat_commit(base, size))
        return false;
    sites.index = (uint32_t *)(void *)(base + sites_bytes);
    sites.names = (char *)(base + sites_bytes + index_bytes);
    sites.site = (struct known_site *)(void *)base;
    sites.count = 1;
    return true;
}

static void fork_prepare(void) {
    plat_lock_acquire(&sites.lock);
}

static void fork_done(void) {
    plat_lock_release(&sites.lock);
}

/* The slot of the index that holds this site, or the free one where it belongs. The lock is held. */
static uint32_t *index_slot(const char *name, uint32_t length, uint32_t line) {
    uint32_t i = hash_name(name, length, line);
    for (;; i++) {
        uint32_t *slot = &sites.index[i % INDEX_SLOTS];
        const struct known_site *s = &sites.site[*slot];
        if (*slot == 0 || (s->line == line && s->length == length && same_name(s, name)))
            return slot;
    }
}

/* Enters a site. The lock is held. */
static uint32_t add_site(const char *name, uint32_t length, uint32_t line) {
    if (sites.count == SITES_MAX || sites.names_used + length + 1 > NAMES_BYTES)
        return 0;
    struct known_site *s = &sites.site[sites.count];
    const struct known_site *last = s - 1; /* the sites of a file come one after the other */
    s->line = line;
    s->length = length;
    if (sites.count > 1 && last->length == length && same_name(last, name)) {
        s->name = last->name;
    } else {
        char *copy = sites.names + sites.names_used;
        for (uint32_t i = 0; i < length; i++)
            copy[i] = name[i];
        copy[length] = '\0';
        sites.names_used += length + 1;
        s->name = copy;
    }
    return sites.count++;
}

static RXP_NOINLINE uint32_t intern_slow(const char *file, uint32_t line,
                                         _Atomic uint32_t *cached) {
    uint32_t length = 0, id = 0;
    while (length < NAME_MAX && file[length] != '\0')
        length++;
    plat_lock_acquire(&sites.lock);
    if (!sites.started) {
        sites.started = true;
        sites.refused = !start();
        plat_at_fork(fork_prepare, fork_done, fork_done);
    }
    if (!sites.refused) {
        uint32_t *slot = index_slot(file, length, line);
        if (*slot == 0)
            *slot = add_site(file, length, line);
        id = *slot;
    }
    if (id != 0)
        atomic_store_explicit(cached, id, memory_order_release);
    plat_lock_release(&sites.lock);
    return id;
}

uint32_t sites_intern(const char *file, uint32_t line) {
    if (file == NULL)
        return 0;
    uint64_t h = ((uint64_t)(uintptr_t)file + line) * 0x9E3779B97F4A7C15u;
    _Atomic uint32_t *cached = &sites.cache[h >> (64 - CACHE_BITS)];
    uint32_t id = atomic_load_explicit(cached, memory_order_acquire);
    if (id != 0) {
        const struct known_site *s = &sites.site[id];
        /* The text is compared too: another module may have been loaded at the same address. */
        if (s->line == line && same_name(s, file))
            return id;
    }
    return intern_slow(file, line, cached);
}

const char *sites_file(uint32_t site, uint32_t *line) {
    if (site == 0)
        return NULL;
    *line = sites.site[site].line;
    return sites.site[site].name;
}
