/* IRQL as a property of the thread, and the locks that raise it. */
#include "ex/irql.h"
#include "ex/engine.h"
#include "plat/plat.h"

THREAD_LOCAL_DEFINE(KIRQL, nt_thread_irql);

/*
 * The engine's fast paths do not look at the IRQL: at DISPATCH_LEVEL and above they are switched
 * off.
 */
void irql_set(KIRQL irql) {
    bool was_fast = nt_irql < DISPATCH_LEVEL;
    bool is_fast = irql < DISPATCH_LEVEL;

    nt_irql = irql;
    if (was_fast != is_fast)
        engine_fast_paths(is_fast);
}

NTKERNELAPI KIRQL NTAPI KeGetCurrentIrql(VOID) {
    return nt_irql;
}

NTKERNELAPI KIRQL NTAPI KfRaiseIrql(KIRQL NewIrql) {
    KIRQL old = nt_irql;

    rxp_assert(NewIrql >= old);
    irql_set(NewIrql);
    return old;
}

NTKERNELAPI VOID NTAPI KeLowerIrql(KIRQL NewIrql) {
    rxp_assert(NewIrql <= nt_irql);
    irql_set(NewIrql);
}

NTKERNELAPI KIRQL NTAPI KeRaiseIrqlToDpcLevel(VOID) {
    return KfRaiseIrql(DISPATCH_LEVEL);
}

/*
 * The kit's inline functions read and write the IRQL, and find the thread, as the processor does.
 */
RXP_EXPORT unsigned long long __readcr8(void) {
    return nt_irql;
}

RXP_EXPORT void __writecr8(unsigned long long irql) {
    irql_set((KIRQL)irql);
}

#define GS_CURRENT_THREAD 0x188

RXP_EXPORT unsigned long long __readgsqword(unsigned int offset) {
    return offset == GS_CURRENT_THREAD ? (uintptr_t)KeGetCurrentThread() : 0;
}

/* --- spin locks ------------------------------------------------------------------------------- */

NTKERNELAPI VOID NTAPI KeInitializeSpinLock(PKSPIN_LOCK SpinLock) {
    *SpinLock = 0;
}

NTKERNELAPI VOID NTAPI KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock) {
    /* A holder can lose its processor here, which it cannot in a kernel: yield to it soon. */
    while (__atomic_exchange_n(SpinLock, 1, __ATOMIC_ACQUIRE) != 0) {
        for (unsigned spin = 0; spin < 64 && __atomic_load_n(SpinLock, __ATOMIC_RELAXED) != 0;
             spin++)
            __builtin_ia32_pause();
        if (__atomic_load_n(SpinLock, __ATOMIC_RELAXED) != 0)
            plat_yield();
    }
}

NTKERNELAPI VOID NTAPI KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock) {
    __atomic_store_n(SpinLock, 0, __ATOMIC_RELEASE);
}

NTKERNELAPI KIRQL NTAPI KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock) {
    KIRQL old = KeRaiseIrqlToDpcLevel();

    KeAcquireSpinLockAtDpcLevel(SpinLock);
    return old;
}

NTKERNELAPI VOID NTAPI KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql) {
    KeReleaseSpinLockFromDpcLevel(SpinLock);
    KeLowerIrql(NewIrql);
}
