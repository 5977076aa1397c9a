/* Misuse of the malloc family: see misuse.h. */
#include "malloc/misuse.h"
#include "base/stop.h"

void misuse_bad_block(const void *address, enum engine_verdict verdict) {
    static struct stop_report r;
    stop_begin(&r, STOP_BAD_POOL_CALLER, verdict == ENGINE_NOT_LIVE ? 7 : 0x46, (uintptr_t)address,
               0, 0, "the address is no block");
    stop_commit(&r);
}
