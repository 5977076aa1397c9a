/* Driver Verifier; alone, so that tests can put another in its place. */
#include "plat/plat.h"

typedef LOGICAL(NTAPI *VERIFYING)(PVOID AddressWithinSection);

/* By name: the routine has not always been there, and an import that is missing keeps a driver from loading. */
bool plat_pool_is_guarded(void) {
    UNICODE_STRING name;
    if (KeGetCurrentIrql() != PASSIVE_LEVEL)
        return false;
    RtlInitUnicodeString(&name, L"MmIsDriverVerifyingByAddress");
    VERIFYING verifying = (VERIFYING)(ULONG_PTR)MmGetSystemRoutineAddress(&name);
    return verifying != NULL && verifying((PVOID)(ULONG_PTR)&plat_pool_is_guarded);
}
