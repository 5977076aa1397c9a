#include "ex/account.h"
#include "ex/range.h"

#define BUCKETS 8192u

static struct {
    _Atomic uint16_t
        *buckets; /* heads of chains through account.hash_next; read without the lock */
    struct account *accounts;
    struct site *sites;
    struct counters *shared;
    uint32_t capacity;
} table;

static unsigned bucket_of(uint64_t key) {
    return (unsigned)((key * 0x9E3779B97F4A7C15u) >> 51);
}

bool accounts_init(void) {
    const struct root *root = range_root(0);

    table.accounts = (struct account *)root->accounts;
    table.sites = (struct site *)root->sites;
    table.shared = (struct counters *)root->shared_counters;
    table.capacity = root->account_capacity;
    table.buckets = meta_alloc(BUCKETS * sizeof(*table.buckets));
    /* Under no key: nothing finds them, they are only fallen back on. */
    table.accounts[ACCOUNT_OVERFLOW_DENSE].type = ACCOUNT_DENSE;
    STATE_STORE(&range_root(0)->account_high, ACCOUNT_OVERFLOW_DENSE + 1);
    return table.buckets != NULL;
}

struct account *account_at(uint32_t id) {
    return &table.accounts[id];
}

struct counters *account_shared_counters(uint32_t id) {
    return &table.shared[id];
}

/* Accounts are filled in before they are chained, and never change or leave: a reader needs no lock. */
static uint32_t account_find(uint64_t key) {
    uint32_t id = atomic_load_explicit(&table.buckets[bucket_of(key)], memory_order_acquire);
    while (id != 0 && table.accounts[id].key != key)
        id = table.accounts[id].hash_next;
    return id;
}

static uint32_t account_make(uint64_t key) {
    struct root *root = range_root(0);
    uint32_t id = STATE_LOAD(&root->account_high);

    if (id == table.capacity)
        return (key >> 32) & ACCOUNT_DENSE ? ACCOUNT_OVERFLOW_DENSE : ACCOUNT_OVERFLOW;
    struct account *a = &table.accounts[id];
    a->key = key;
    engine_first.tags[id] = a->tag;
    a->hash_next = STATE_LOAD(&table.buckets[bucket_of(key)]);
    atomic_store_explicit(&root->account_high, id + 1, memory_order_release);
    atomic_store_explicit(&table.buckets[bucket_of(key)], (uint16_t)id, memory_order_release);
    return id;
}

uint32_t account_of(uint64_t key) {
    uint32_t id = account_find(key);
    if (RXP_LIKELY(id != 0))
        return id;
    engine_lock(LOCK_ACCOUNTS);
    id = account_find(key);
    if (id == 0)
        id = account_make(key);
    engine_unlock(LOCK_ACCOUNTS);
    return id;
}

void account_fold_begin(struct account *account) {
    atomic_fetch_add_explicit(&account->fold_begin, 1, memory_order_seq_cst);
}

void account_fold_end(struct account *account, uint64_t allocs, uint64_t frees) {
    atomic_fetch_add_explicit(&account->retired_allocs, allocs, memory_order_relaxed);
    atomic_fetch_add_explicit(&account->retired_frees, frees, memory_order_relaxed);
    /* Release: a reader that finds the fold over finds its figures. */
    atomic_fetch_add_explicit(&account->fold_end, 1, memory_order_release);
}

/* --- sites ---------------------------------------------------------------------------------------- */

static bool site_equal(const struct site *s, const char *name, size_t length, uint32_t line) {
    const char *own = (const char *)s->name;
    if (s->line != line || s->name_length != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (own[i] != name[i])
            return false;
    return true;
}

static uint32_t site_make(struct root *root, const char *name, size_t length, uint32_t line) {
    uint32_t id = STATE_LOAD(&root->site_high);
    char *copy = id < table.capacity ? meta_alloc(length + 1) : NULL;

    if (copy == NULL)
        return 0;
    for (size_t i = 0; i < length; i++)
        copy[i] = name[i];
    table.sites[id] = (struct site){(uintptr_t)copy, (uint32_t)length, line};
    atomic_store_explicit(&root->site_high, id + 1, memory_order_release);
    return id;
}

/* A linear search: callers cache what they get, and a process has few modules and sites. */
uint32_t engine_site(const char *name, size_t length, uint32_t line) {
    uint32_t id, found = 0;

    if (!engine_ready())
        return 0;
    engine_lock(LOCK_ACCOUNTS);
    struct root *root = range_root(0);
    for (id = 1; id < STATE_LOAD(&root->site_high) && found == 0; id++)
        if (site_equal(&table.sites[id], name, length, line))
            found = id;
    if (found == 0)
        found = site_make(root, name, length, line);
    engine_unlock(LOCK_ACCOUNTS);
    return found;
}
