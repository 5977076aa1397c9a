/* Finding the first range's root, and believing none of it. */
#include <string.h>

#include "stats/reader.h"

#define ADDRESS_MOST ((uint64_t)1 << 56)

static const char *root_fault(const struct root *r, uint64_t address, uint32_t number) {
    if (r->self != address || r->number != number)
        return "its root is a copy of another's";
    if (r->root_bytes != sizeof(struct root) || r->slab_bytes != sizeof(struct slab) ||
        r->account_bytes != sizeof(struct account) || r->heap_bytes != sizeof(struct heap_public) ||
        r->site_bytes != sizeof(struct site))
        return "its records have other sizes than this version's";
    if (address > ADDRESS_MOST || r->range_size > ADDRESS_MOST ||
        r->slab_count > (1u << SLAB_ID_BITS) || r->slab_high > r->slab_count)
        return "its range or number of slabs is out of bounds";
    if (r->slabs < address || r->slabs - address > r->range_size ||
        r->slab_high * sizeof(struct slab) > r->range_size - (r->slabs - address))
        return "its slab descriptors lie outside the range";
    if (number == 0 && (r->account_capacity > ACCOUNTS_MAX ||
                        r->account_high > r->account_capacity || r->site_high > SITES_MAX))
        return "its number of accounts or sites is out of bounds";
    return NULL;
}

enum rxpool_stats_status root_read_at(struct rxpool_stats *s, uint64_t address, uint32_t number,
                                      struct root *out, struct rxpool_stats_error *error) {
    if (!memory_read(&s->memory, address, out, sizeof(*out)))
        return stats_unreadable(s, "a root", address, error);
    if (memcmp(out->magic, LAYOUT_MAGIC, sizeof(out->magic)) != 0)
        return stats_fail(error, RXPOOL_STATS_DAMAGED, "the pool's range %u at 0x%llx has no root",
                          number, (unsigned long long)address);
    if (out->version != LAYOUT_VERSION)
        return stats_fail(error, RXPOOL_STATS_VERSION_MISMATCH,
                          "the pool's tables are of version %u; this reader knows version %u",
                          out->version, LAYOUT_VERSION);
    const char *fault = root_fault(out, address, number);
    if (fault != NULL)
        return stats_fail(error, RXPOOL_STATS_DAMAGED,
                          "the pool's range %u at 0x%llx is damaged: %s", number,
                          (unsigned long long)address, fault);
    return RXPOOL_STATS_OK;
}

/*
 * The first range begins with the magic and says that it is number 0; what is wrong beyond that is
 * for root_read.
 */
static bool visit_area(void *context, uint64_t start) {
    struct rxpool_stats *s = context;
    char magic[sizeof(s->root.magic)];
    struct root root;

    if (!memory_read(&s->memory, start, magic, sizeof(magic)) ||
        memcmp(magic, LAYOUT_MAGIC, sizeof(magic)) != 0 ||
        !memory_read(&s->memory, start, &root, sizeof(root)) || root.self != start ||
        root.number != 0)
        return false;
    s->root_address = start;
    return true;
}

enum rxpool_stats_status root_find(struct rxpool_stats *s, struct rxpool_stats_error *error) {
    s->root_address = 0;
    enum rxpool_stats_status status = s->memory.each_area(&s->memory, visit_area, s, error);

    if (status != RXPOOL_STATS_OK)
        return status;
    if (s->root_address == 0)
        return stats_fail(
            error, RXPOOL_STATS_NO_POOL,
            "%s %u has no pool: it neither uses librxpool nor runs under `rxpool run`, or "
            "has not allocated yet",
            s->memory.frozen ? "the core of process" : "process", s->memory.pid);
    return RXPOOL_STATS_OK;
}

enum rxpool_stats_status root_read(struct rxpool_stats *s, struct rxpool_stats_error *error) {
    return root_read_at(s, s->root_address, 0, &s->root, error);
}
