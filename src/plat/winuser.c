/*
 * plat.h in a Windows process (Windows 8 and later). winuser_exit.c: what runs at the end of threads and of the
 * process; winuser_report.c: text, stops and options.
 */
#include "plat/plat.h"
#include "plat/thread_local.h"
#include "plat/windows_frames.h"
#include "plat/winuser_watch.h"

#include <windows.h>

/* --- address space --------------------------------------------------------------------------- */

#define PAGE ((size_t)4096)

/*
 * The whole of it stays reserved: Windows frees a reservation only as it was made, and address space that is reserved
 * costs nothing. plat_release finds its beginning again.
 */
void *plat_reserve(size_t size, size_t align) {
    size_t whole = size + align + 2 * PAGE;

    if (whole < size)
        return NULL;
    char *map = VirtualAlloc(NULL, whole, MEM_RESERVE, PAGE_NOACCESS);
    return map == NULL ? NULL : (void *)rxp_round_up((uintptr_t)map + PAGE, align);
}

bool plat_commit(void *address, size_t size) {
    return VirtualAlloc(address, size, MEM_COMMIT, PAGE_READWRITE) != NULL;
}

/*
 * Never decommits: a pop from an S-list may read an entry that was freed meanwhile (ex/slist.c), so the memory may at no
 * moment be inaccessible. It stays charged; its pages are discarded, and VirtualUnlock of what is not locked takes them out of
 * the working set, as documented. What is read there next is zero or the old contents.
 */
bool plat_purge(void *address, size_t size) {
    VirtualAlloc(address, size, MEM_RESET, PAGE_READWRITE);
    VirtualUnlock(address, size);
    return false;
}

/* Nothing moves the pages of one process. */
bool plat_move_pages(void *from, size_t size, void *to, size_t room) {
    (void)from, (void)size, (void)to, (void)room;
    return false;
}

/* What is committed is charged already, and its pages come in clusters by themselves. */
void plat_populate(void *address, size_t size) {
    (void)address, (void)size;
}

bool plat_huge_ready(void) {
    return false; /* large pages need a privilege, and lie in mappings of their own */
}

bool plat_populate_huge(void *address) {
    (void)address;
    return false;
}

bool plat_renew(void *address, size_t size) {
    return plat_purge(address, size);
}

void plat_release(void *address, size_t size) {
    MEMORY_BASIC_INFORMATION region;

    (void)size;
    if (VirtualQuery(address, &region, sizeof(region)) == sizeof(region))
        VirtualFree(region.AllocationBase, 0, MEM_RELEASE);
}

/*
 * What may be committed is the limit here, since nothing is overcommitted: address space beyond it could not be used. Twice
 * that, for callers take at most half.
 */
size_t plat_address_space_left(void) {
    MEMORYSTATUSEX status = {.dwLength = sizeof(status)};

    if (!GlobalMemoryStatusEx(&status))
        return SIZE_MAX;
    uint64_t most =
        status.ullTotalPageFile < UINT64_MAX / 2 ? status.ullTotalPageFile * 2 : SIZE_MAX;
    return most < status.ullAvailVirtual ? most : status.ullAvailVirtual;
}

/* --- locks ----------------------------------------------------------------------------------- */

bool plat_lock_try(struct plat_lock *lock) {
    uint32_t unlocked = 0;
    return __atomic_compare_exchange_n(&lock->word, &unlocked, 1, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

#define STATUS_ENDING 0xC000010Au /* STATUS_PROCESS_IS_TERMINATING */

/*
 * While a process ends, its other threads are gone, wherever they were. A lock that one of them held will never be free and
 * what it guards may be half done: as Windows' own locks do, end the process at once.
 */
static void wait_for(struct plat_lock *lock) {
    uint32_t waited = 2;

    if (winuser_is_ending())
        TerminateProcess(GetCurrentProcess(), STATUS_ENDING);
    WaitOnAddress(&lock->word, &waited, sizeof(waited), INFINITE);
}

void plat_lock_acquire(struct plat_lock *lock) {
    for (int spin = 0; spin < 64; spin++) {
        if (plat_lock_try(lock))
            return;
        __builtin_ia32_pause();
    }
    while (__atomic_exchange_n(&lock->word, 2, __ATOMIC_ACQUIRE) != 0)
        wait_for(lock);
}

void plat_lock_release(struct plat_lock *lock) {
    if (__atomic_exchange_n(&lock->word, 0, __ATOMIC_RELEASE) == 2)
        WakeByAddressSingle(&lock->word);
}

/* --- threads and time ------------------------------------------------------------------------ */

uint32_t plat_thread_id(void) {
    return GetCurrentThreadId();
}

bool plat_barrier(void) {
    FlushProcessWriteBuffers();
    return true;
}

#define WALK_MOST 256u /* frames, those before `from` included */

/* The system's own walk, by the unwind information that every image for x64 has. */
RXP_NOINLINE unsigned plat_backtrace(const void *from, const void **frames, unsigned most) {
    void *walked[WALK_MOST];
    /* Without our own frame: the next return address is the one behind the call of our caller. */
    unsigned found = RtlCaptureStackBackTrace(1, WALK_MOST, walked, NULL);
    return windows_frames_from(from, walked, found, frames, most);
}

/* There is no fork to be told of. */
bool plat_at_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    (void)prepare;
    (void)parent;
    (void)child;
    return true;
}

void plat_yield(void) {
    SwitchToThread();
}

uint64_t plat_clock_ms(void) {
    return GetTickCount64();
}

bool plat_read_memory(const void *address, void *out, size_t size) {
    SIZE_T got = 0;
    return ReadProcessMemory(GetCurrentProcess(), address, out, size, &got) && got == size;
}

/* Whoever may open the process may read it; nothing can widen that from within. */
void plat_allow_readers(bool any_of_user) {
    (void)any_of_user;
}

bool plat_pool_is_guarded(void) {
    return false;
}
