/* check/fault.h over a pool that judges. */
#include "check/fault.h"

#include "check/report.h"

bool fault_fails(uint32_t type, size_t size, uint32_t tag, const struct caller *c) {
    const struct backend_request q = {size, tag, type, c->file, c->line, c->pc};
    const struct pool_backend *backend = pool_backend();
    return backend != NULL && backend->fault_judge(&q);
}

void fault_judged(void) {
    const struct pool_backend *backend = pool_backend();
    if (backend != NULL)
        backend->fault_over();
}
