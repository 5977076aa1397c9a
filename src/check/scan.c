/* The search for references: see scan.h. */
#include "check/scan.h"

#include "base/backend.h"
#include "check/block.h"
#include "check/check.h"
#include "plat/plat.h"
#include "plat/scan.h"

#define PAGE ((uint64_t)4096)
#define ALIGN ((size_t)64 << 10)
#define UNIT 16u /* of a block's length in an entry */
#define NOBODY UINT32_MAX

#define SEGMENTS_MAX 64u
#define GAP_FIRST ((uint64_t)16 << 20) /* more than this between two blocks begins a segment */

/* Flags of an entry. */
#define MAY_REFER 1u /* live, or not known to be freed */
#define IS_REACHED 2u
#define IS_REACHED_BY_START 4u
#define IS_OF_LOST 8u /* a lost block refers to it */
#define IS_THERE 16u  /* not of kind OTHERS, or the pool says that it is allocated */

struct entry {
    uint64_t block;
    uint32_t units; /* to the end of its guard; the largest number stands for larger ones too */
    uint32_t id;    /* of its record */
};

/* Blocks that lie near each other, and the index of their pages. */
struct segment {
    uint64_t start; /* of its first page */
    uint64_t pages;
    uint64_t
        index; /* page[index + n]: entries that begin before page n; one more than there are pages */
};

/*
 * In memory of plat_reserve, as the search must not take what it knows of the blocks for the
 * program's knowledge.
 */
static struct search {
    unsigned char *memory; /* entries, spare, flags */
    size_t memory_bytes;
    uint32_t *page;
    size_t page_bytes;
    struct entry *entry, *spare;
    uint8_t *flags;
    uint32_t count, room;
    bool stopped;       /* the other threads */
    uint32_t *work;     /* in spare: entries whose bytes are to be looked at */
    uint32_t *sequence; /* in spare: of the entry's allocation */
    uint32_t waiting;
    uint32_t leader;    /* the lost block whose references are followed, NOBODY before that */
    uint64_t low, span; /* addresses outside of it are in no block */
    struct segment segment[SEGMENTS_MAX];
    unsigned segments;
    uint32_t others; /* entries of kind OTHERS */
    uint32_t digits[256];
} * scan;

/* --- the blocks ------------------------------------------------------------------------------ */

static bool is_live(const struct record_info *info) {
    return info->state == RECORD_LIVE || info->state == RECORD_BUSY;
}

/* A block that was set aside for its damage while it was in use may still be. */
static bool may_refer(const struct record_info *info) {
    return is_live(info) || info->state == RECORD_SET_ASIDE;
}

static void count_record(void *argument, uint32_t id, const struct record_info *info) {
    (void)id;
    *(uint32_t *)argument += info->kind != RECORD_SIGNED;
}

/* Signed memory is no block: it is the program's, or lies in one. */
static void enter_record(void *argument, uint32_t id, const struct record_info *info) {
    uint64_t units = (info->size + info->tail + UNIT - 1) / UNIT;
    (void)argument;
    if (info->kind == RECORD_SIGNED || scan->count == scan->room ||
        (info->kind == RECORD_OTHERS && !check_still_there(info)))
        return;
    struct entry *e = &scan->entry[scan->count++];
    e->block = info->block;
    e->units = units < UINT32_MAX ? (uint32_t)units : UINT32_MAX;
    e->id = id;
}

/*
 * What is known now of an entry's block; state NONE where it is that block no more. A thread that could
 * not be stopped may have freed it, and allocated another at its address.
 */
static void look_up(uint32_t i, struct record_info *out) {
    registry_at(scan->entry[i].id, out);
    if (out->block != scan->entry[i].block || out->sequence != scan->sequence[i])
        out->state = RECORD_NONE;
}

/* One pass of a radix sort, from entry to spare and back by exchanging them. */
static void sort_by_digit(unsigned shift) {
    for (unsigned d = 0; d < RXP_COUNT(scan->digits); d++)
        scan->digits[d] = 0;
    for (uint32_t i = 0; i < scan->count; i++)
        scan->digits[scan->entry[i].block >> shift & 255]++;
    if (scan->digits[scan->entry[0].block >> shift & 255] == scan->count)
        return; /* all the same */
    for (uint32_t d = 0, before = 0; d < RXP_COUNT(scan->digits); d++) {
        uint32_t of_digit = scan->digits[d];
        scan->digits[d] = before;
        before += of_digit;
    }
    for (uint32_t i = 0; i < scan->count; i++)
        scan->spare[scan->digits[scan->entry[i].block >> shift & 255]++] = scan->entry[i];
    struct entry *sorted = scan->spare;
    scan->spare = scan->entry;
    scan->entry = sorted;
}

/*
 * Two records for one address: a plain block that its other owner has freed, and what was allocated
 * there since.
 */
static void drop_stale(void) {
    struct record_info info;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < scan->count; i++) {
        bool same = kept != 0 && scan->entry[kept - 1].block == scan->entry[i].block;
        if (same) {
            registry_at(scan->entry[i].id, &info);
            if (info.kind == RECORD_OTHERS)
                continue;
        }
        kept -= same;
        scan->entry[kept++] = scan->entry[i];
    }
    scan->count = kept;
}

_Static_assert(sizeof(struct search) <= ALIGN, "the state has a place");

static bool gather(void) {
    registry_each_record(count_record, &scan->room);
    size_t each = 2 * sizeof(struct entry) + sizeof(uint8_t);
    scan->memory_bytes = rxp_round_up(((size_t)scan->room + 1) * each, ALIGN);
    scan->memory = plat_reserve(scan->memory_bytes, ALIGN);
    if (scan->memory == NULL || !plat_commit(scan->memory, scan->memory_bytes))
        return false;
    scan->entry = (struct entry *)(void *)scan->memory;
    scan->spare = scan->entry + scan->room;
    scan->flags = (uint8_t *)(scan->spare + scan->room);
    registry_each_record(enter_record, NULL);
    for (unsigned shift = 0; shift < 64 && scan->count != 0; shift += 8)
        sort_by_digit(shift);
    drop_stale();
    scan->work = (uint32_t *)(void *)scan->spare;
    scan->sequence = scan->work + scan->room;
    for (uint32_t i = 0; i < scan->count; i++) {
        struct record_info info;
        registry_at(scan->entry[i].id, &info);
        scan->sequence[i] = info.sequence;
        scan->flags[i] = may_refer(&info) && info.block == scan->entry[i].block ? MAY_REFER : 0;
        scan->flags[i] |= info.kind != RECORD_OTHERS ? IS_THERE : 0;
        scan->others += info.kind == RECORD_OTHERS;
    }
    return true;
}

/* --- the index ------------------------------------------------------------------------------- */

static uint64_t end_of(const struct entry *e) {
    return e->block + (uint64_t)e->units * UNIT;
}

/* Parts the blocks where more than `gap` bytes lie between them; false when that makes too many parts. */
static bool part(uint64_t gap) {
    uint64_t end = 0, index = 0;
    struct segment *s = NULL;
    scan->segments = 0;
    for (uint32_t i = 0; i < scan->count; i++) {
        const struct entry *e = &scan->entry[i];
        if (s == NULL || e->block > end + gap) {
            if (scan->segments == SEGMENTS_MAX)
                return false;
            index += s != NULL ? s->pages + 1 : 0;
            s = &scan->segment[scan->segments++];
            s->start = e->block / PAGE * PAGE;
            s->index = index;
        }
        end = end_of(e) > end ? end_of(e) : end;
        s->pages = (end - s->start) / PAGE + 1;
    }
    return true;
}

static bool make_index(void) {
    uint64_t gap = GAP_FIRST;
    while (!part(gap))
        gap *= 2;
    const struct segment *last = &scan->segment[scan->segments - 1];
    scan->page_bytes = rxp_round_up((last->index + last->pages + 1) * sizeof(uint32_t), ALIGN);
    scan->page = plat_reserve(scan->page_bytes, ALIGN);
    if (scan->page == NULL || !plat_commit(scan->page, scan->page_bytes))
        return false;
    uint32_t i = 0;
    for (unsigned n = 0; n < scan->segments; n++) {
        const struct segment *s = &scan->segment[n];
        for (uint64_t p = 0; p <= s->pages; p++) {
            while (i < scan->count && scan->entry[i].block < s->start + p * PAGE)
                i++;
            scan->page[s->index + p] = i;
        }
    }
    scan->low = scan->entry[0].block - BLOCK_HEADER;
    scan->span = last->start + last->pages * PAGE - scan->low;
    return true;
}

/* How many entries begin at or before the address, which is in this segment. */
static uint32_t entries_to(const struct segment *s, uint64_t address) {
    uint64_t page = s->index + (address - s->start) / PAGE;
    uint32_t low = scan->page[page], high = scan->page[page + 1];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (scan->entry[middle].block <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The entry around the address, header and guard included; NOBODY where there is none. */
static uint32_t find(uint64_t address) {
    for (unsigned n = 0; n < scan->segments; n++) {
        const struct segment *s = &scan->segment[n];
        if (address + BLOCK_HEADER - s->start >= s->pages * PAGE + BLOCK_HEADER)
            continue;
        uint32_t i = address < s->start ? scan->page[s->index] : entries_to(s, address);
        if (i > 0 && address < end_of(&scan->entry[i - 1]))
            return i - 1;
        if (i < scan->count && scan->entry[i].block - address <= BLOCK_HEADER)
            return i;
    }
    return NOBODY;
}

/* --- the search ------------------------------------------------------------------------------ */

static void push(uint32_t i) {
    scan->work[scan->waiting++] = i;
}

static void reach(uint64_t address) {
    uint32_t i = find(address);
    if (i == NOBODY || !(scan->flags[i] & MAY_REFER))
        return;
    if (scan->leader != NOBODY) {
        if (i != scan->leader && !(scan->flags[i] & (IS_REACHED | IS_OF_LOST))) {
            scan->flags[i] |= IS_OF_LOST;
            push(i);
        }
        return;
    }
    if (scan->entry[i].block == address)
        scan->flags[i] |= IS_REACHED_BY_START;
    if (!(scan->flags[i] & IS_REACHED)) {
        scan->flags[i] |= IS_REACHED;
        push(i);
    }
}

static void look_at_words(void *argument, const uintptr_t *words, size_t count) {
    uint64_t low = scan->low, span = scan->span;
    (void)argument;
    for (size_t i = 0; i < count; i++) {
        if (RXP_UNLIKELY(words[i] - low < span))
            reach(words[i]);
    }
}

static const struct plat_scan_visitor looker = {look_at_words, NULL};

static void follow(void) {
    struct record_info info;
    while (scan->waiting != 0) {
        look_up(scan->work[--scan->waiting], &info);
        if (may_refer(&info))
            plat_scan_memory((const void *)(uintptr_t)info.block, (size_t)info.size, &looker);
    }
}

/* A block that the pool has handed out is a root, unless it is one of ours: those begin inside it. */
static void look_at_plain(void *argument, uintptr_t block, size_t bytes) {
    (void)argument;
    for (unsigned n = 0; n < scan->segments; n++) {
        const struct segment *s = &scan->segment[n];
        if (block + bytes <= s->start || block >= s->start + s->pages * PAGE)
            continue;
        uint64_t last = block + bytes - 1, end = s->start + s->pages * PAGE;
        uint32_t i = entries_to(s, last < end ? last : end - 1);
        if (i > 0 && scan->entry[i - 1].block >= block)
            return;
    }
    plat_scan_memory((const void *)block, bytes, &looker);
}

/*
 * What lost blocks refer to. Each lost block that none so far refers to leads once; if a later one
 * refers to it, it leads no more. Of a ring, the first remains.
 */
static void follow_lost(void) {
    for (uint32_t i = 0; i < scan->count; i++) {
        if ((scan->flags[i] & (MAY_REFER | IS_REACHED | IS_OF_LOST)) != MAY_REFER)
            continue;
        scan->leader = i;
        push(i);
        follow();
    }
}

static void follow_roots(void) {
    const struct pool_backend *backend = pool_backend();
    plat_scan_roots(&looker);
    if (backend != NULL)
        backend->each_live(look_at_plain, NULL);
    follow();
}

static void see_plain(void *argument, uintptr_t block, size_t bytes) {
    (void)argument;
    (void)bytes;
    for (unsigned n = 0; n < scan->segments; n++) {
        const struct segment *s = &scan->segment[n];
        uint32_t i = block - s->start < s->pages * PAGE ? entries_to(s, block) : 0;
        if (i > 0 && scan->entry[i - 1].block == block)
            scan->flags[i - 1] |= IS_THERE;
    }
}

/*
 * Whoever frees a plain block need not tell us. The pool's lists do, where every thread stands still; else the
 * block counts as there.
 */
static void drop_gone(unsigned unstopped) {
    const struct pool_backend *backend = pool_backend();
    if (scan->others != 0 && backend != NULL && unstopped == 0)
        backend->each_live(see_plain, NULL);
    for (uint32_t i = 0; i < scan->count && scan->others != 0; i++) {
        if (backend == NULL || unstopped != 0)
            scan->flags[i] |= IS_THERE;
        else if (!(scan->flags[i] & IS_THERE))
            scan->flags[i] &= (uint8_t)~MAY_REFER;
    }
}

/* A thread that runs on may move an address from what is yet to be read to what was: look twice. */
static void search(unsigned unstopped) {
    scan->leader = NOBODY;
    scan->waiting = 0;
    drop_gone(unstopped);
    follow_roots();
    if (unstopped != 0) {
        for (uint32_t i = 0; i < scan->count; i++) {
            if (scan->flags[i] & IS_REACHED)
                push(i);
        }
        follow_roots();
    }
    follow_lost();
}

/* --- begin and end --------------------------------------------------------------------------- */

static bool get_state(void) {
    void *memory = scan == NULL ? plat_reserve(ALIGN, ALIGN) : NULL;
    if (memory != NULL && plat_commit(memory, ALIGN))
        scan = memory;
    return scan != NULL;
}

static void forget_all(void) {
    if (scan->memory != NULL)
        plat_release(scan->memory, scan->memory_bytes);
    if (scan->page != NULL)
        plat_release(scan->page, scan->page_bytes);
    scan->memory = NULL;
    scan->page = NULL;
    scan->count = scan->room = scan->others = 0;
}

void scan_end(void) {
    if (scan != NULL) {
        forget_all();
        if (scan->stopped)
            plat_scan_end();
        scan->stopped = false;
    }
}

/*
 * Whether there is anything to search for: if not, no thread need be stopped. Not inlined, as what
 * follows: the frames from the caller's of scan_begin to its own are searched, and must hold nothing.
 */
static RXP_NOINLINE bool any_block(void) {
    uint32_t count = 0;
    registry_each_record(count_record, &count);
    return count != 0;
}

/* With the threads stopped. False when there is no memory for it. */
static RXP_NOINLINE bool search_stopped(unsigned unstopped) {
    if (!gather() || (scan->count != 0 && !make_index()))
        return false;
    if (scan->count != 0)
        search(unstopped);
    return true;
}

bool scan_begin(bool exiting, struct scan_outcome *out) {
    static const char no_memory[] = "there is no memory for it";
    struct plat_scan threads = {no_memory, 0};
    out->unstopped = 0;
    out->refused = NULL;
    if (get_state() && !any_block())
        return true;
    if (scan != NULL)
        scan->stopped = plat_scan_begin(exiting, &threads);
    if (scan != NULL && scan->stopped) {
        out->unstopped = threads.unstopped;
        if (search_stopped(threads.unstopped))
            return true;
        threads.refused = no_memory;
    }
    out->refused = threads.refused;
    scan_end();
    return false;
}

void scan_each(void (*visit)(void *argument, const struct record_info *info, enum scan_reach reach),
               void *argument) {
    for (uint32_t i = 0; i < (scan != NULL ? scan->count : 0); i++) {
        uint8_t flags = scan->flags[i];
        enum scan_reach reach = SCAN_LOST;
        struct record_info info;
        if (flags & IS_REACHED)
            reach = flags & IS_REACHED_BY_START ? SCAN_HELD : SCAN_HELD_INSIDE;
        else if (flags & IS_OF_LOST)
            reach = SCAN_LOST_THROUGH;
        look_up(i, &info);
        if (is_live(&info) && (flags & IS_THERE))
            visit(argument, &info, reach);
    }
}
