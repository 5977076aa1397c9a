/*
 * Comes first in the cases of tests/misuse when they are compiled into a driver (a forced include): the
 * IRQL is the hooks'.
 */
#ifndef RXPOOL_TESTS_KERNEL_CASE_H
#define RXPOOL_TESTS_KERNEL_CASE_H

#include <ntifs.h>

#if !RXPOOL_REAL_IRQL
#include "hooks.h"
#undef KeRaiseIrql
#undef KeAcquireSpinLock
#undef KeReleaseSpinLock
#define KeRaiseIrql(new_irql, old_irql) (*(old_irql) = HookRaiseIrql(new_irql))
#define KeLowerIrql(new_irql) HookLowerIrql(new_irql)
#define KeAcquireSpinLock(lock, old_irql)                                                          \
    (*(old_irql) = HookRaiseIrql(DISPATCH_LEVEL), (void)(lock))
#define KeReleaseSpinLock(lock, old_irql) (HookLowerIrql(old_irql), (void)(lock))
#endif

#endif
