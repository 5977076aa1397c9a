/*
 * plat.h in a Windows kernel (Windows 8 and later), as far as rdbss and check ask for it; what they ask
 * of a pool below them is the kernel's own. ntkernel_report.c: text, stops and options; ntkernel_cpu.c:
 * the IRQL and the time.
 *
 * Everything here may be called at DISPATCH_LEVEL, takes at most 512 bytes of stack a function, and
 * keeps its data in memory that is never paged out.
 */
#include "plat/plat.h"
#include "plat/windows_frames.h"

#include "base/backend.h"

#define TAG_TABLES 'bTxR' /* "RxTb": what the checked build keeps for itself */
#define TABLES_MOST ((size_t)4 << 20)
#define PAGE ((uintptr_t)4096)

/* --- memory ---------------------------------------------------------------------------------- */

/*
 * There is no address space to set apart: what is reserved is there. A kernel aligns it to a page; who
 * asks for more here reaches everything from its start.
 */
void *plat_reserve(size_t size, size_t align) {
    (void)align;
    return ExAllocatePoolWithTag((POOL_TYPE)(NonPagedPool | POOL_NX_ALLOCATION), size, TAG_TABLES);
}

bool plat_commit(void *address, size_t size) {
    RtlZeroMemory(address, size);
    return true;
}

void plat_release(void *address, size_t size) {
    (void)size;
    ExFreePoolWithTag(address, TAG_TABLES);
}

/* Tables are sized by it. */
size_t plat_address_space_left(void) {
    return TABLES_MOST;
}

/* Only pages that are in memory: the others would have to be read, which cannot be done everywhere. */
bool plat_read_memory(const void *address, void *out, size_t size) {
    uintptr_t at = (uintptr_t)address, page = at & ~(PAGE - 1);
    for (; page < at + size; page += PAGE) {
        if (!MmIsAddressValid((PVOID)page))
            return false;
    }
    RtlCopyMemory(out, address, size);
    return true;
}

/* The kernel's pool tells nobody what an address is. */
const struct pool_backend *pool_backend(void) {
    return NULL;
}

/* --- locks, threads and time ----------------------------------------------------------------- */

/* The lock's own word keeps the IRQL: only its holder has a use for it. */
void plat_lock_acquire(struct plat_lock *lock) {
    KIRQL irql;
    KeAcquireSpinLock((PKSPIN_LOCK)&lock->spin, &irql);
    lock->word = irql;
}

void plat_lock_release(struct plat_lock *lock) {
    KeReleaseSpinLock((PKSPIN_LOCK)&lock->spin, (KIRQL)lock->word);
}

/*
 * At DISPATCH_LEVEL it is the processor that counts: the thread is whichever was interrupted, perhaps
 * in the middle of a report.
 */
uint32_t plat_thread_id(void) {
    if (KeGetCurrentIrql() >= DISPATCH_LEVEL)
        return 0x80000000u | (uint32_t)KeGetCurrentProcessorNumberEx(NULL);
    uint32_t thread = (uint32_t)(uintptr_t)PsGetCurrentThreadId();
    return thread != 0 ? thread : 0x7FFFFFFFu; /* the idle thread's */
}

void plat_yield(void) {
    LARGE_INTEGER none;
    none.QuadPart = 0;
    if (KeGetCurrentIrql() < DISPATCH_LEVEL)
        KeDelayExecutionThread(KernelMode, FALSE, &none);
    else
        YieldProcessor();
}

uint64_t plat_clock_ms(void) {
    return ntkernel_time() / 10000;
}

/* Drivers are unloaded by RxPoolUnload; nothing forks. */
bool plat_at_exit(void (*hook)(void)) {
    (void)hook;
    return true;
}

bool plat_at_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    (void)prepare;
    (void)parent;
    (void)child;
    return true;
}

/* --- code ------------------------------------------------------------------------------------ */

#define WALK_MOST 40u /* frames, those before `from` included */

/* By the unwind information of every image for x64. */
RXP_NOINLINE unsigned plat_backtrace(const void *from, const void **frames, unsigned most) {
    PVOID walked[WALK_MOST];
    /* Without our own frame: the next return address is the one behind the call of our caller. */
    unsigned found = RtlCaptureStackBackTrace(1, WALK_MOST, walked, NULL);
    return windows_frames_from(from, walked, found, frames, most);
}

/* Debuggers know modules better, and sites have file and line. */
const char *plat_module_of(const void *pc, uint64_t *offset) {
    (void)pc;
    (void)offset;
    return NULL;
}

bool plat_is_constant(const void *address) {
    (void)address;
    return false;
}
