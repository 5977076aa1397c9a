/*
 * What the NT boundary keeps for each thread. With the engine's own this stays within 64 bytes of
 * static TLS, or dlopen of the library may be refused: the IRQL stands alone to fill a gap that
 * alignment leaves.
 */
#ifndef RXPOOL_EX_NTTHREAD_H
#define RXPOOL_EX_NTTHREAD_H

#include <ntifs.h>

#include "base/base.h"

struct rxpool_seh_frame;

struct nt_thread {
    PKTHREAD object;              /* of a system thread; null in threads that others started */
    struct rxpool_seh_frame *seh; /* innermost _SEH2_TRY */
};

extern __thread struct nt_thread nt_thread __attribute__((tls_model("initial-exec")));
extern __thread KIRQL nt_irql __attribute__((tls_model("initial-exec")));

#endif
