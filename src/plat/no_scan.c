/* plat/scan.h where threads cannot be stopped or their memory cannot be read. */
#include "plat/scan.h"

bool plat_scan_begin(bool exiting, struct plat_scan *out) {
    (void)exiting;
    out->refused = NULL;
    out->unstopped = 0;
    return false;
}

void plat_scan_roots(const struct plat_scan_visitor *visitor) {
    (void)visitor;
}

void plat_scan_memory(const void *start, size_t bytes, const struct plat_scan_visitor *visitor) {
    (void)start;
    (void)bytes;
    (void)visitor;
}

void plat_scan_end(void) {}
