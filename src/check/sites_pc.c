/*
 * Sites by return address: see sites.h. Only ever added, and published by one release store, so a
 * look-up takes no lock.
 *
 * Another module may have been loaded where the one of a known site was. So a site keeps the bytes of
 * code around its return address, and a look-up compares them: they can be read, since somebody will
 * return there. (A module with the very same code in the same place passes for the older one.)
 */
#include "check/sites_pc.h"

#include "plat/plat.h"

#define PAGE ((uintptr_t)4096)
#define SITES_MAX 131072u
#define SLOTS_LEAST 1024u /* a page of them */
#define SLOTS_MOST (2 * SITES_MAX)
#define MODULES_MAX 1024u
#define NAMES_BYTES ((size_t)128 << 10)

_Atomic uint32_t sites_pc_cache[1u << SITES_PC_CACHE_BITS];
struct pc_site *sites_pc; /* [SITES_MAX], 0 unused */

static struct {
    struct plat_lock lock;
    bool refused;
    /*
     * By hash of the pc, open addressing: tables of SLOTS_LEAST slots, twice as many and so on, one behind the other.
     * `index` is the last that is used, of which half is empty at least; NULL until there is room for sites.
     */
    _Atomic uint32_t *tables;
    _Atomic(_Atomic uint32_t *) index;
    uint32_t count;
    char *names;
    size_t names_used;
    const char *module[MODULES_MAX];
    uint32_t modules;
} pcs;

/* Where 8 bytes around a return address lie, all in one page: those that end there, those that begin. */
static uintptr_t code_before(uintptr_t pc) {
    uintptr_t page = (pc - 1) & ~(PAGE - 1), at = pc - sizeof(uint64_t);
    return at > page ? at : page;
}

static uintptr_t code_behind(uintptr_t pc) {
    uintptr_t last = (pc | (PAGE - 1)) - (sizeof(uint64_t) - 1);
    return pc < last ? pc : last;
}

static void fork_prepare(void) {
    plat_lock_acquire(&pcs.lock);
}

static void fork_done(void) {
    plat_lock_release(&pcs.lock);
}

/* The lock is held. */
static bool start(void) {
    size_t sites_bytes = SITES_MAX * sizeof(struct pc_site);
    size_t index_bytes = 2 * SLOTS_MOST * sizeof(uint32_t);
    size_t size = sites_bytes + index_bytes + NAMES_BYTES;
    unsigned char *base = plat_reserve(size, (size_t)64 << 10);
    if (base == NULL || !plat_commit(base, size))
        return false;
    pcs.names = (char *)(base + sites_bytes + index_bytes);
    sites_pc = (struct pc_site *)(void *)base;
    pcs.count = 1;
    pcs.tables = (_Atomic uint32_t *)(void *)(base + sites_bytes);
    atomic_store_explicit(&pcs.index, pcs.tables, memory_order_release);
    return true;
}

void sites_watch_forks_pc(void) {
    plat_at_fork(fork_prepare, fork_done, fork_done);
}

static bool same_text(const char *a, const char *b) {
    while (*a == *b && *a != '\0') {
        a++;
        b++;
    }
    return *a == *b;
}

/* Our copy of a module's name; NULL when there is no room. The lock is held. */
static const char *copy_name(const char *name) {
    for (uint32_t i = 0; i < pcs.modules; i++) {
        if (same_text(pcs.module[i], name))
            return pcs.module[i];
    }
    size_t size = 1;
    while (name[size - 1] != '\0')
        size++;
    if (pcs.modules == MODULES_MAX || size > NAMES_BYTES - pcs.names_used)
        return NULL;
    char *copy = pcs.names + pcs.names_used;
    memcpy(copy, name, size);
    pcs.names_used += size;
    pcs.module[pcs.modules++] = copy;
    return copy;
}

/* In front of a table lie the smaller ones, which have SLOTS_LEAST slots less together. */
RXP_INLINE uint32_t slots_of(const _Atomic uint32_t *index) {
    return (uint32_t)(index - pcs.tables) + SLOTS_LEAST;
}

RXP_INLINE uint32_t first_slot(uintptr_t pc) {
    return (uint32_t)(pc * SITES_PC_HASH >> 32);
}

/* Where the site is in the index, or belongs. The lock is held. */
static _Atomic uint32_t *index_slot(_Atomic uint32_t *index, uintptr_t pc, uint64_t code) {
    for (uint32_t i = first_slot(pc);; i++) {
        _Atomic uint32_t *slot = &index[i % slots_of(index)];
        uint32_t id = atomic_load_explicit(slot, memory_order_relaxed);
        const struct pc_site *s = &sites_pc[id];
        if (id == 0 || (s->pc == pc && s->code == code))
            return slot;
    }
}

/* The index, with room for a site more. The lock is held. */
static _Atomic uint32_t *index_with_room(void) {
    _Atomic uint32_t *index = atomic_load_explicit(&pcs.index, memory_order_relaxed);
    uint32_t slots = slots_of(index);
    if (pcs.count < slots / 2 || slots == SLOTS_MOST)
        return index;
    index += slots;
    for (uint32_t id = 1; id < pcs.count; id++)
        atomic_store_explicit(index_slot(index, sites_pc[id].pc, sites_pc[id].code), id,
                              memory_order_relaxed);
    /* Pairs with find_known. Who still looks into the smaller table does not find what comes from now on, and asks here. */
    atomic_store_explicit(&pcs.index, index, memory_order_release);
    return index;
}

/* A known site that the cache has no room for; 0 for none. Pairs with the release in intern_new. */
static uint32_t find_known(uintptr_t pc) {
    _Atomic uint32_t *index = atomic_load_explicit(&pcs.index, memory_order_acquire);
    for (uint32_t i = first_slot(pc); index != NULL; i++) {
        uint32_t id = atomic_load_explicit(&index[i % slots_of(index)], memory_order_acquire);
        if (id == 0)
            break;
        if (sites_pc[id].pc == pc && sites_pc[id].code == sites_pc_code(&sites_pc[id]))
            return id;
    }
    return 0;
}

/* Enters a site. The lock is held. */
static uint32_t add(uintptr_t pc, uint64_t code, const char *module, uint64_t offset) {
    if (pcs.count == SITES_MAX)
        return 0;
    const char *name = module == NULL ? NULL : copy_name(module);
    sites_pc[pcs.count] = (struct pc_site){.pc = pc,
                                           .code = code,
                                           .offset = name == NULL ? 0 : offset,
                                           .before = (int8_t)(code_before(pc) - pc),
                                           .behind = (int8_t)(code_behind(pc) - pc),
                                           .module = name};
    return pcs.count++;
}

/* The same of what may not be there to be read. One question to the system does, but at the end of a page. */
static bool read_code(uintptr_t pc, uint64_t *code) {
    uintptr_t before = code_before(pc), behind = code_behind(pc);
    uint64_t word[2];
    bool there = behind == before + sizeof word[0]
                     ? plat_read_memory((const void *)before, word, sizeof word)
                     : plat_read_memory((const void *)before, &word[0], sizeof word[0]) &&
                           plat_read_memory((const void *)behind, &word[1], sizeof word[1]);
    *code = sites_pc_mix(word[0], word[1]);
    return there;
}

static uint32_t intern_new(uintptr_t pc) {
    uint64_t offset = 0, code;
    uint32_t id = 0;
    if (!read_code(pc, &code))
        return 0;
    const char *module = plat_module_of((const void *)pc, &offset);
    plat_lock_acquire(&pcs.lock);
    if (atomic_load_explicit(&pcs.index, memory_order_relaxed) == NULL && !pcs.refused)
        pcs.refused = !start();
    if (!pcs.refused) {
        _Atomic uint32_t *slot = index_slot(index_with_room(), pc, code);
        id = atomic_load_explicit(slot, memory_order_relaxed);
        if (id == 0)
            id = add(pc, code, module, offset);
        atomic_store_explicit(slot, id, memory_order_release);
    }
    plat_lock_release(&pcs.lock);
    return id;
}

static RXP_NOINLINE uint32_t intern_slow(uintptr_t pc) {
    uint32_t id = find_known(pc);
    if (id == 0)
        id = intern_new(pc);
    if (id == 0)
        return 0;
    atomic_store_explicit(sites_pc_cached(pc), id, memory_order_release);
    return id | SITE_PC;
}

uint32_t sites_intern_pc(const void *address) {
    uint32_t id = sites_known_pc(address);
    return RXP_LIKELY(id != 0) || address == NULL ? id : intern_slow((uintptr_t)address);
}

void sites_get_pc(uint32_t id, struct site *out) {
    const struct pc_site *s = &sites_pc[id & ~SITE_PC];
    *out = (struct site){NULL, 0, (const void *)s->pc, s->module, s->offset};
}
