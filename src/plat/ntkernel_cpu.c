/*
 * What the kit reads and writes inline, in registers and in the shared page; alone, so that tests can put
 * others in its place.
 */
#include <ntddk.h>

#include "plat/irql.h"

KIRQL ntkernel_irql(void);
ULONGLONG ntkernel_time(void);

KIRQL ntkernel_irql(void) {
    return KeGetCurrentIrql();
}

ULONGLONG ntkernel_time(void) {
    return KeQueryInterruptTime();
}

unsigned plat_irql_raise(void) {
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    return irql;
}

void plat_irql_lower(unsigned irql) {
    KeLowerIrql((KIRQL)irql);
}
