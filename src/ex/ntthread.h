/*
 * What the NT boundary keeps for each thread. With the engine's own this stays within 64 bytes of
 * static TLS, or dlopen of the library may be refused: the IRQL stands alone to fill a gap that
 * alignment leaves.
 */
#ifndef RXPOOL_EX_NTTHREAD_H
#define RXPOOL_EX_NTTHREAD_H

#include <ntifs.h>

#include "base/base.h"
#include "plat/thread_local.h"

struct rxpool_seh_frame;

struct nt_thread_state {
    PKTHREAD object;              /* of a system thread; null in threads that others started */
    struct rxpool_seh_frame *seh; /* innermost _SEH2_TRY */
};

THREAD_LOCAL_DECLARE(struct nt_thread_state, nt_thread_values);
THREAD_LOCAL_DECLARE(KIRQL, nt_thread_irql);
#define nt_thread THREAD_LOCAL(nt_thread_values)
#define nt_irql THREAD_LOCAL(nt_thread_irql)

#endif
