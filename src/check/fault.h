/*
 * RXPOOL_OPTIONS fail=: whether a request of the checked build has to fail, as if memory had run out. map/: the pool below
 * judges, which fails requests of its own callers too; hash/: a kernel's pool does not, so it is judged here.
 */
#ifndef RXPOOL_CHECK_FAULT_H
#define RXPOOL_CHECK_FAULT_H

#include "base/backend.h"

struct caller;

/*
 * Judges the caller's request, once; a request that raises does so here. False: what is asked of the pool on
 * its behalf is not judged, until fault_judged is called. Any IRQL <= DISPATCH.
 */
bool fault_fails(uint32_t type, size_t size, uint32_t tag, const struct caller *c);
void fault_judged(void);
/* hash/: the end of a driver. Tells of fail_record=, and begins to count anew. */
void fault_close(void);

#endif
