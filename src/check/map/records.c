/* The run of memory that the records lie in: see record.h. */
#include "check/map/front.h"
#include "check/map/record.h"
#include "plat/plat.h"

#define RECORDS_MAX (1u << 28)
#define RECORDS_MIN (1u << 16)
#define CARVE 64u /* records given to a thread at a time: a page */

struct record *record_base;

static struct {
    struct plat_lock lock;
    struct front memory;
    _Atomic uint32_t carved;
} records;

bool records_start(void) {
    if (!front_start(&records.memory, RECORDS_MAX * sizeof(struct record),
                     RECORDS_MIN * sizeof(struct record)))
        return false;
    record_base = (struct record *)records.memory.base;
    return true;
}

uint32_t records_carve(uint32_t *first) {
    uint32_t end = 0;
    plat_lock_acquire(&records.lock);
    uint32_t carved = atomic_load_explicit(&records.carved, memory_order_relaxed);
    if (front_reach(&records.memory, (carved + CARVE) * sizeof(struct record))) {
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
