/* The run of memory that the records lie in: see record.h. */
#include "check/map/record.h"

#include "plat/plat.h"

#define RECORDS_MAX (1u << 28)
#define RECORDS_MIN (1u << 16)
#define COMMIT_STEP ((size_t)256 << 10)
#define CARVE 64u /* records given to a thread at a time: a page */

struct record *record_base;

static struct {
    struct plat_lock lock;
    uint32_t limit, committed;
    _Atomic uint32_t carved;
} records;

bool records_start(void) {
    size_t room = plat_address_space_left() / 16;
    for (uint32_t most = RECORDS_MAX; most >= RECORDS_MIN; most /= 2) {
        size_t size = (size_t)most * sizeof(struct record);
        void *base = size <= room ? plat_reserve(size, COMMIT_STEP) : NULL;
        if (base == NULL)
            continue;
        record_base = base;
        records.limit = most;
        return true;
    }
    return false;
}

/* Room for `CARVE` more. With the lock. */
static bool grow(uint32_t carved) {
    if (carved + CARVE <= records.committed)
        return true;
    if (carved + CARVE > records.limit || !plat_commit(record_at(records.committed), COMMIT_STEP))
        return false;
    records.committed += (uint32_t)(COMMIT_STEP / sizeof(struct record));
    return true;
}

uint32_t records_carve(uint32_t *first) {
    uint32_t end = 0;
    plat_lock_acquire(&records.lock);
    uint32_t carved = atomic_load_explicit(&records.carved, memory_order_relaxed);
    if (grow(carved)) {
        *first = carved != 0 ? carved : 1;
        end = carved + CARVE;
        /* Release: who learns of the records finds them committed (pairs with records_end). */
        atomic_store_explicit(&records.carved, end, memory_order_release);
    }
    plat_lock_release(&records.lock);
    return end;
}

uint32_t records_end(void) {
    return atomic_load_explicit(&records.carved, memory_order_acquire);
}

void records_fork_lock(void) {
    plat_lock_acquire(&records.lock);
}

void records_fork_unlock(void) {
    plat_lock_release(&records.lock);
}
