/* Which account a call belongs to: see dropin.h. */
#include <dlfcn.h>
#include <errno.h>

#include "base/options.h"
#include "base/text.h"
#include "malloc/checked.h"
#include "malloc/dropin.h"
#include "malloc/fail.h"
#include "malloc/io.h"
#include "malloc/module.h"

/*
 * The process-wide cache of sites, so that neither a new thread nor an aligned allocation, which
 * has no alias, asks the loader again. One word holds both halves of an entry, so it needs no lock:
 *
 *    63       16 15  0
 *    | place    | site |     place: the return address, its page for by=module; 0 = empty
 */
#define CACHE_ENTRIES 1024u
#define CACHE_SITE_BITS 16

bool dropin_one_account;
struct dropin_alias dropin_alias_rule = {0, ENGINE_ALIAS};

static struct {
    _Atomic bool started;
    enum options_by by;
    _Atomic uint64_t cache[CACHE_ENTRIES];
} accounting;

/* The first allocation of the process, in the loader, long before a second thread can be. */
static RXP_COLD void accounting_start(void) {
    accounting.by = options_get()->by;
    if (accounting.by == OPTIONS_BY_TAG) {
        dropin_alias_rule.bits = DROPIN_KEY;
        dropin_one_account = true;
    } else {
        module_start();
        dropin_alias_rule.mask =
            accounting.by == OPTIONS_BY_SITE ? ~ENGINE_ALIAS : ~(uint64_t)(POOL_PAGE_SIZE - 1);
    }
    atomic_store_explicit(&accounting.started, true, memory_order_release);
    fail_start();
    checked_start();
}

/* A program whose first call is a bad free must be told as its options say. */
__attribute__((constructor(101))) static void start_without_allocation(void) {
    if (!atomic_load_explicit(&accounting.started, memory_order_acquire))
        accounting_start();
    io_start();
}

static _Atomic uint64_t *cache_entry(uint64_t place) {
    uint64_t hash = place * 0x9E3779B97F4A7C15u;
    return &accounting.cache[hash >> 54 & (CACHE_ENTRIES - 1)];
}

/* "module" for by=module, "module+0x1234" for by=site. */
static uint32_t intern_site(const struct module *module, const void *caller) {
    char name[320];
    struct text text;
    text_init(&text, name, sizeof name);
    text_bytes(&text, module->name, module->name_length);
    if (accounting.by == OPTIONS_BY_SITE) {
        text_char(&text, '+');
        text_address(&text, (uintptr_t)caller - module->bias);
    }
    return engine_site(name, text.length, 0);
}

/* *lasting: whether the place means the same site until a module is unloaded. */
static uint32_t find_site(const void *caller, bool *lasting) {
    uint64_t place = (uintptr_t)caller & dropin_alias_rule.mask;
    _Atomic uint64_t *entry = cache_entry(place);
    uint64_t word = atomic_load_explicit(entry, memory_order_relaxed);
    *lasting = true;
    if (word >> CACHE_SITE_BITS == place && place != 0)
        return (uint32_t)word & ((1u << CACHE_SITE_BITS) - 1);
    struct module module;
    *lasting = module_find((const char *)caller - 1, &module); /* the call, not what follows it */
    uint32_t site = intern_site(&module, caller);
    if (*lasting && place >> (64 - CACHE_SITE_BITS) == 0)
        atomic_store_explicit(entry, place << CACHE_SITE_BITS | site, memory_order_relaxed);
    return site;
}

struct dropin_account dropin_account(const void *caller) {
    if (RXP_UNLIKELY(!atomic_load_explicit(&accounting.started, memory_order_acquire)))
        accounting_start();
    struct dropin_account account = {dropin_alias(caller), DROPIN_KEY, 0};
    if (!dropin_one_account) {
        bool lasting;
        uint32_t site = find_site(caller, &lasting);
        account.key = ACCOUNT_KEY(DROPIN_TAG, ACCOUNT_DENSE, site);
        account.flags = lasting ? 0 : ENGINE_NO_INSTALL;
    }
    return account;
}

static void forget_modules(void) {
    for (size_t i = 0; i < CACHE_ENTRIES; i++)
        atomic_store_explicit(&accounting.cache[i], 0, memory_order_relaxed);
    engine_forget_aliases();
}

/*
 * dlclose(3), which may put another module where the unloaded one was. What the loader unloads
 * without being asked through this name (character-set and name-service modules of libc) leaves its
 * place known as it was: a later module there is accounted to the earlier one's name.
 */
RXP_EXPORT int dlclose(void *handle) {
    int (*next)(void *) = (int (*)(void *))dlsym(RTLD_NEXT, "dlclose");
    if (next == NULL)
        return -1;
    int result = next(handle);
    int error = errno;
    if (!dropin_one_account)
        forget_modules();
    errno = error;
    return result;
}
