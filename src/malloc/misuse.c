/* Misuse of the malloc family: see misuse.h. */
#include "malloc/misuse.h"
#include "ex/free_report.h"

void misuse_bad_block(const void *address, const void *caller, enum engine_verdict verdict) {
    stop_commit(free_report_verdict(address, 0, caller, verdict));
}
