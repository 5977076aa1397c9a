/* What the NT boundary keeps for each thread; with the engine's own, within 64 bytes of static TLS. */
#ifndef RXPOOL_EX_NTTHREAD_H
#define RXPOOL_EX_NTTHREAD_H

#include <ntifs.h>

#include "base/base.h"

struct rxpool_seh_frame;

struct nt_thread {
    PKTHREAD object;               /* of a system thread; null in threads that others started */
    struct rxpool_seh_frame *seh;  /* innermost _SEH2_TRY */
    KIRQL irql;
};

extern __thread struct nt_thread nt_thread __attribute__((tls_model("initial-exec")));

#endif
