/* Raising a status on behalf of a caller. */
#ifndef RXPOOL_EX_RAISE_H
#define RXPOOL_EX_RAISE_H

#include <ntifs.h>

/* ExRaiseStatus as called at `caller`. */
DECLSPEC_NORETURN void raise_status(NTSTATUS status, const void *caller);

#endif
