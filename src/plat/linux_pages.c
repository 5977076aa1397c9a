/*
 * Which pages of a mapping are there, by /proc/self/pagemap. Linux 6.7 and later are asked for the runs
 * of such pages, which takes no time for terabytes that were reserved and never touched (a sanitizer's
 * shadow, another runtime's arenas); older ones for a word on every page of the mapping.
 */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "plat/linux_scan.h"

/* --- words of a page each ---------------------------------------------------------------------- */

#define WORD_PRESENT (1ull << 63)
#define WORD_SWAPPED (1ull << 62)
#define WORD_OF_FILE (1ull << 61) /* or of shared memory */

static bool word_is_wanted(uint64_t word, bool writable) {
    return (word & (WORD_PRESENT | WORD_SWAPPED)) != 0 && (writable || (word & WORD_OF_FILE) == 0);
}

/* Pages at `at` that answer alike, up to `end`; 0 when they cannot be told. */
static size_t pages_alike(uintptr_t at, uintptr_t end, bool writable, bool *wanted) {
    uint64_t *words = scan_memory->pages;
    size_t want = (end - at + SCAN_PAGE - 1) / SCAN_PAGE, n = 0;
    if (want > SCAN_PAGES_AT_ONCE)
        want = SCAN_PAGES_AT_ONCE;
    ssize_t got = pread(scan_memory->pagemap, words, want * sizeof *words,
                        (off_t)(at / SCAN_PAGE * sizeof *words));
    if (got < (ssize_t)sizeof *words)
        return 0;
    size_t have = (size_t)got / sizeof *words;
    *wanted = word_is_wanted(words[0], writable);
    while (n < have && word_is_wanted(words[n], writable) == *wanted)
        n++;
    return n;
}

static bool next_by_words(uintptr_t *at, uintptr_t end, bool writable, uintptr_t *from,
                          uintptr_t *to) {
    bool wanted = false;
    while (*at < end && !wanted) {
        size_t pages = pages_alike(*at, end, writable, &wanted);
        if (pages == 0)
            return false;
        *from = *at;
        *to = *at += pages * SCAN_PAGE;
    }
    return wanted;
}

/* --- runs -------------------------------------------------------------------------------------- */

/* The request PAGEMAP_SCAN as the kernel's documentation has it (admin-guide/mm/pagemap). */
struct run {
    uint64_t start, end, categories;
};

struct request {
    uint64_t size, flags, start, end, walk_end;
    uint64_t runs, runs_most, pages_most;
    uint64_t inverted, all_of, any_of, answered;
};

#define REQUEST_SCAN _IOWR('f', 16, struct request)

#define RUN_OF_FILE (1u << 2)
#define RUN_PRESENT (1u << 3)
#define RUN_SWAPPED (1u << 4)
#define RUN_ZERO_PAGE (1u << 5) /* read, never written: the one page of zeroes that all share */

/* False when the system does not know the request. */
static bool next_by_runs(uintptr_t *at, uintptr_t end, bool writable, uintptr_t *from,
                         uintptr_t *to, bool *found) {
    struct run run;
    uint64_t none_of = RUN_ZERO_PAGE | (writable ? 0 : RUN_OF_FILE);
    struct request q = {.size = sizeof q,
                        .start = *at,
                        .end = rxp_round_up(end, SCAN_PAGE),
                        .runs = (uintptr_t)&run,
                        .runs_most = 1,
                        .inverted = none_of,
                        .all_of = none_of,
                        .any_of = RUN_PRESENT | RUN_SWAPPED,
                        .answered = RUN_PRESENT | RUN_SWAPPED};
    int runs = ioctl(scan_memory->pagemap, REQUEST_SCAN, &q);
    if (runs < 0)
        return false;
    *found = runs != 0;
    *from = runs != 0 ? run.start : end;
    *at = *to = runs != 0 ? run.end : end;
    return true;
}

/* --- either ------------------------------------------------------------------------------------ */

_Atomic bool scan_only_words;

bool scan_next_pages(uintptr_t *at, uintptr_t end, bool writable, uintptr_t *from, uintptr_t *to) {
    bool found = false;
    if (*at >= end || scan_memory->pagemap < 0)
        return false;
    if (!atomic_load_explicit(&scan_only_words, memory_order_relaxed)) {
        if (next_by_runs(at, end, writable, from, to, &found))
            return found;
        atomic_store_explicit(&scan_only_words, true, memory_order_relaxed);
    }
    return next_by_words(at, end, writable, from, to);
}
