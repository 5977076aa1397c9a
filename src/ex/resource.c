/*
 * ERESOURCE: shared or exclusive, recursive. State changes under SpinLock; waiters sleep on
 * ActiveEntries, here a count of releases. A shared acquisition waits for the owner only, never for
 * those who wait to own: it may be a recursive one, and shared owners are not told apart.
 */
#include <ntifs.h>

#include "plat/plat.h"
#include "plat/wait.h"

#define OWNED_EXCLUSIVE 0x0080

static ERESOURCE_THREAD me(void) {
    return ExGetCurrentResourceThread();
}

static void resource_lock(PERESOURCE r) {
    KeAcquireSpinLockAtDpcLevel(&r->SpinLock);
}

static void resource_unlock(PERESOURCE r) {
    KeReleaseSpinLockFromDpcLevel(&r->SpinLock);
}

/* What waiters sleep on; a ULONG is not the same type everywhere. */
static const uint32_t *releases_of(PERESOURCE r) {
    return (const uint32_t *)(void *)&r->ActiveEntries;
}

static bool owned_by_me(const ERESOURCE *r) {
    return (r->Flag & OWNED_EXCLUSIVE) != 0 && r->OwnerEntry.OwnerThread == me();
}

/* Under the lock: one acquisition more when that is possible now. */
static bool resource_take(PERESOURCE r, bool exclusive) {
    bool possible =
        owned_by_me(r) || r->ActiveCount == 0 || (!exclusive && (r->Flag & OWNED_EXCLUSIVE) == 0);

    if (!possible)
        return false;
    if (r->ActiveCount == 0 && exclusive) {
        r->Flag |= OWNED_EXCLUSIVE;
        r->OwnerEntry.OwnerThread = me();
    }
    r->ActiveCount++;
    return true;
}

static bool resource_acquire(PERESOURCE r, bool exclusive, bool wait) {
    ULONG *waiters = exclusive ? &r->NumberOfExclusiveWaiters : &r->NumberOfSharedWaiters;
    bool taken;

    resource_lock(r);
    while (!(taken = resource_take(r, exclusive)) && wait) {
        uint32_t releases = r->ActiveEntries;

        ++*waiters;
        r->ContentionCount++;
        resource_unlock(r);
        plat_wait(releases_of(r), releases, PLAT_FOREVER);
        resource_lock(r);
        --*waiters;
    }
    resource_unlock(r);
    return taken;
}

NTKERNELAPI NTSTATUS NTAPI ExInitializeResourceLite(PERESOURCE Resource) {
    memset(Resource, 0, sizeof *Resource);
    InitializeListHead(&Resource->SystemResourcesList);
    return STATUS_SUCCESS;
}

NTKERNELAPI NTSTATUS NTAPI ExDeleteResourceLite(PERESOURCE Resource) {
    rxp_check(Resource->ActiveCount == 0);
    memset(Resource, 0, sizeof *Resource);
    return STATUS_SUCCESS;
}

NTKERNELAPI BOOLEAN NTAPI ExAcquireResourceExclusiveLite(PERESOURCE Resource, BOOLEAN Wait) {
    return resource_acquire(Resource, true, Wait != FALSE);
}

NTKERNELAPI BOOLEAN NTAPI ExAcquireResourceSharedLite(PERESOURCE Resource, BOOLEAN Wait) {
    return resource_acquire(Resource, false, Wait != FALSE);
}

NTKERNELAPI VOID NTAPI ExReleaseResourceLite(PERESOURCE Resource) {
    bool wake = false;

    resource_lock(Resource);
    rxp_check(Resource->ActiveCount > 0);
    if (--Resource->ActiveCount == 0) {
        Resource->Flag &= (USHORT)~OWNED_EXCLUSIVE;
        Resource->OwnerEntry.OwnerThread = 0;
        __atomic_add_fetch(&Resource->ActiveEntries, 1, __ATOMIC_RELAXED);
        wake = Resource->NumberOfExclusiveWaiters + Resource->NumberOfSharedWaiters != 0;
    }
    resource_unlock(Resource);
    if (wake)
        plat_wake(releases_of(Resource), UINT32_MAX);
}

NTKERNELAPI BOOLEAN NTAPI ExIsResourceAcquiredExclusiveLite(PERESOURCE Resource) {
    bool mine;

    resource_lock(Resource);
    mine = owned_by_me(Resource);
    resource_unlock(Resource);
    return mine;
}

NTKERNELAPI VOID NTAPI KeEnterCriticalRegion(VOID) {}

NTKERNELAPI VOID NTAPI KeLeaveCriticalRegion(VOID) {}
