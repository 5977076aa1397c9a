/*
 * S-lists: stacks without a lock, for any number of threads.
 *
 * The header is 16 bytes, changed by one compare-and-swap: depth and a sequence number in the first
 * half, the first entry's address in the second. The sequence number grows with every change, so a
 * pop whose first entry was taken and put back meanwhile fails and starts again. Such a pop has
 * read the Next of an entry that was no longer on the list: harmless, since what it read is thrown
 * away, as long as the memory can be read; the pool's can, but for freed blocks with a guard page.
 */
#include <ntifs.h>

#include "ex/special.h"

typedef unsigned __int128 header_word;

static header_word header_load(PSLIST_HEADER head) {
    /* Two halves that do not belong together make the exchange below fail. */
    uint64_t low = __atomic_load_n(&head->Alignment, __ATOMIC_ACQUIRE);
    uint64_t high = __atomic_load_n(&head->Region, __ATOMIC_ACQUIRE);

    return (header_word)high << 64 | low;
}

static bool header_swap(PSLIST_HEADER head, header_word old, header_word new) {
    return __sync_bool_compare_and_swap((header_word *)(void *)head, old, new);
}

static PSLIST_ENTRY header_first(header_word h) {
    return (PSLIST_ENTRY)(uintptr_t)((uint64_t)(h >> 64) & ~(uint64_t)15);
}

/* The next header after `h`: another first entry, depth and sequence number. */
static header_word header_next(header_word h, PSLIST_ENTRY first, uint16_t depth) {
    uint64_t sequence = (uint64_t)h >> 16;
    uint64_t low = (sequence + 1) << 16 | depth;

    return (header_word)(uintptr_t)first << 64 | low;
}

/* The entry may be another thread's by now: see above. */
__attribute__((no_sanitize("thread", "address"))) static PSLIST_ENTRY
entry_next(PSLIST_ENTRY entry) {
    PSLIST_ENTRY next = NULL;

    if (RXP_UNLIKELY(special_asks())) {
        plat_read_memory(&entry->Next, &next, sizeof(next));
        return next;
    }
    return __atomic_load_n(&entry->Next, __ATOMIC_RELAXED);
}

NTKERNELAPI VOID NTAPI InitializeSListHead(PSLIST_HEADER Head) {
    Head->Alignment = 0;
    Head->Region = 0;
}

NTKERNELAPI USHORT NTAPI ExQueryDepthSList(PSLIST_HEADER Head) {
    return (USHORT)__atomic_load_n(&Head->Alignment, __ATOMIC_RELAXED);
}

NTKERNELAPI PSLIST_ENTRY NTAPI ExpInterlockedPopEntrySList(PSLIST_HEADER Head) {
    for (;;) {
        header_word old = header_load(Head);
        PSLIST_ENTRY first = header_first(old);

        if (first == NULL)
            return NULL;
        if (header_swap(Head, old, header_next(old, entry_next(first), (uint16_t)old - 1)))
            return first;
    }
}

NTKERNELAPI PSLIST_ENTRY NTAPI ExpInterlockedPushEntrySList(PSLIST_HEADER Head,
                                                            PSLIST_ENTRY Entry) {
    for (;;) {
        header_word old = header_load(Head);
        PSLIST_ENTRY first = header_first(old);

        __atomic_store_n(&Entry->Next, first, __ATOMIC_RELAXED);
        if (header_swap(Head, old, header_next(old, Entry, (uint16_t)old + 1)))
            return first;
    }
}

NTKERNELAPI PSLIST_ENTRY NTAPI ExpInterlockedFlushSList(PSLIST_HEADER Head) {
    for (;;) {
        header_word old = header_load(Head);
        PSLIST_ENTRY first = header_first(old);

        if (first == NULL)
            return NULL;
        if (header_swap(Head, old, header_next(old, NULL, 0)))
            return first;
    }
}
