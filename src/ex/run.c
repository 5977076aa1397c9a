/*
 * Runs of free slabs, and the one policy for empty memory.
 *
 * A free run is slabs in a row, all SLAB_NONE; `run` of its first and last descriptor holds its length and sort, so
 * that a returned run finds its neighbours. `run` is 0 everywhere else, and only the ranges lock's holder looks. Runs are of two sorts, kept apart: dirty (pages may hold data; the first
 * descriptor counts them and knows since when they lie idle) and clean (every byte reads as zero). Neighbours of
 * one sort are one run. A dirty run is preferred: its pages are there. Clean runs hold address space only.
 *
 *   lists[sort][n]   runs of n slabs, n < LISTS; the last list holds longer ones, any order
 *   idle             dirty runs, oldest first (heap_next, heap_prev)
 *   sum of the dirty runs' page counts = root.dirty_bytes / 4096
 *   every slab below slab_high is in service or in exactly one free run
 */
#include "ex/run.h"
#include "base/options.h"

#define LISTS 64u
#define SLAB_PAGES (SLAB_SIZE / POOL_PAGE_SIZE)
#define IDLE_LEAST ((uint64_t)1 << 20)
#define IDLE_SHARE 8u
/* How long idle memory above that waits, ms: what a loop takes again at once is not worth giving back. */
#define GRACE 30u
/* Where less than this share of what lived lately is left, the pool counts as emptied. */
#define EMPTIED_SHARE 4u

enum sort { CLEAN, DIRTY, SORTS };

/* slab.run */
#define RUN_DIRTY 0x80000000u
#define RUN_LENGTH(run) ((run) & ~RUN_DIRTY)

static struct {
    uint32_t lists[SORTS][LISTS]; /* slab ids */
    uint64_t occupied[SORTS];     /* bit n: lists[.][n] holds a run */
    uint32_t oldest, newest;
    uint64_t live_bytes, dirty_pages;
    uint64_t peak_bytes, peak_time; /* the most that lived lately: halved every GRACE ms */
} runs;

static unsigned run_list(uint32_t count) {
    return count < LISTS ? count : LISTS - 1;
}

static enum sort run_sort(const struct slab *first) {
    return first->run & RUN_DIRTY ? DIRTY : CLEAN;
}

static void run_publish(void) {
    struct root *root = range_root(0);
    STATE_STORE(&root->live_bytes, runs.live_bytes);
    STATE_STORE(&root->dirty_bytes, runs.dirty_pages * POOL_PAGE_SIZE);
}

/* --- lists -------------------------------------------------------------------------------------- */

static void idle_append(struct slab *first, uint32_t id) {
    first->heap_next = 0;
    first->heap_prev = runs.newest;
    if (runs.newest != 0)
        range_slab_by_id(runs.newest)->heap_next = id;
    else
        runs.oldest = id;
    runs.newest = id;
}

static void idle_remove(struct slab *first) {
    if (first->heap_prev != 0)
        range_slab_by_id(first->heap_prev)->heap_next = first->heap_next;
    else
        runs.oldest = first->heap_next;
    if (first->heap_next != 0)
        range_slab_by_id(first->heap_next)->heap_prev = first->heap_prev;
    else
        runs.newest = first->heap_prev;
    first->heap_next = first->heap_prev = 0;
}

static void run_insert(struct slab *first, uint32_t count, enum sort sort, uint64_t dirty_pages) {
    uint32_t id = range_slab_id(first);
    uint32_t *head = &runs.lists[sort][run_list(count)];
    struct slab *last = first + count - 1;

    first->run = last->run = count | (sort == DIRTY ? RUN_DIRTY : 0);
    first->collected = dirty_pages;
    first->bin_prev = 0;
    first->bin_next = *head;
    if (*head != 0)
        range_slab_by_id(*head)->bin_prev = id;
    *head = id;
    runs.occupied[sort] |= (uint64_t)1 << run_list(count);
    if (sort == DIRTY) {
        runs.dirty_pages += dirty_pages;
        idle_append(first, id);
    }
}

static void run_remove(struct slab *first) {
    uint32_t count = RUN_LENGTH(first->run);
    enum sort sort = run_sort(first);
    uint32_t *head = &runs.lists[sort][run_list(count)];
    struct slab *last = first + count - 1;

    if (first->bin_prev != 0)
        range_slab_by_id(first->bin_prev)->bin_next = first->bin_next;
    else
        *head = first->bin_next;
    if (first->bin_next != 0)
        range_slab_by_id(first->bin_next)->bin_prev = first->bin_prev;
    if (*head == 0)
        runs.occupied[sort] &= ~((uint64_t)1 << run_list(count));
    if (sort == DIRTY) {
        runs.dirty_pages -= first->collected;
        idle_remove(first);
    }
    first->run = last->run = 0;
    first->bin_next = first->bin_prev = 0;
}

/* --- finding a run ------------------------------------------------------------------------------- */

/* Slabs to skip at the start of a run so that what follows is aligned. */
static uint32_t run_skip(const struct slab *first, size_t alignment) {
    uintptr_t base = range_slab_base(first);
    return (uint32_t)((rxp_round_up(base, alignment) - base) >> SLAB_SHIFT);
}

/* The shortest of the runs in the last list that will do. */
static struct slab *run_find_long(enum sort sort, uint32_t count, size_t alignment) {
    struct slab *best = NULL;
    for (uint32_t id = runs.lists[sort][LISTS - 1]; id != 0;) {
        struct slab *s = range_slab_by_id(id);
        if (RUN_LENGTH(s->run) >= count + run_skip(s, alignment) &&
            (best == NULL || RUN_LENGTH(s->run) < RUN_LENGTH(best->run)))
            best = s;
        id = s->bin_next;
    }
    return best;
}

static struct slab *run_find(enum sort sort, uint32_t count, size_t alignment) {
    uint64_t lists = count < LISTS ? runs.occupied[sort] & ~(((uint64_t)1 << count) - 1) : 0;

    lists &= ~((uint64_t)1 << (LISTS - 1));
    for (; lists != 0; lists &= lists - 1) {
        uint32_t id = runs.lists[sort][__builtin_ctzll(lists)];
        for (; id != 0; id = range_slab_by_id(id)->bin_next) {
            struct slab *s = range_slab_by_id(id);
            if (RUN_LENGTH(s->run) >= count + run_skip(s, alignment))
                return s;
        }
    }
    return run_find_long(sort, count, alignment);
}

static uint64_t pages_of(uint32_t slabs, uint64_t dirty_pages) {
    uint64_t all = (uint64_t)slabs * SLAB_PAGES;
    return all < dirty_pages ? all : dirty_pages;
}

/* Takes [skip, skip + count) out of the run; what is left goes back as it was. */
static struct slab *run_split(struct slab *first, uint32_t count, size_t alignment, bool *zero) {
    enum sort sort = run_sort(first);
    uint32_t skip = run_skip(first, alignment), length = RUN_LENGTH(first->run);
    uint64_t dirty = first->collected, since = first->idle_since;
    struct slab *taken = first + skip, *rest = taken + count;

    run_remove(first);
    dirty -= pages_of(count, dirty); /* the part taken is taken to be the dirty one */
    if (skip > 0) {
        uint64_t pages = pages_of(skip, dirty);
        run_insert(first, skip, sort, pages);
        first->idle_since = since;
        dirty -= pages;
    }
    if (skip + count < length) {
        run_insert(rest, length - skip - count, sort, dirty);
        rest->idle_since = since;
    }
    *zero = sort == CLEAN;
    return taken;
}

/* --- giving back ---------------------------------------------------------------------------------- */

static void run_join(struct slab *first, uint32_t count, enum sort sort, uint64_t dirty_pages,
                     uint64_t now) {
    uint32_t id = range_slab_id(first), index = id & ((1u << SLAB_ID_BITS) - 1);
    const struct root *root = range_root(id >> SLAB_ID_BITS);
    struct slab *before = first - 1, *after = first + count;

    if (index > 1 && before->run != 0 && run_sort(before) == sort) {
        before -= RUN_LENGTH(before->run) - 1;
        count += RUN_LENGTH(before->run);
        dirty_pages += before->collected;
        run_remove(before);
        first = before;
    }
    if (after < (struct slab *)root->slabs + STATE_LOAD(&root->slab_high) && after->run != 0 &&
        run_sort(after) == sort) {
        count += RUN_LENGTH(after->run);
        dirty_pages += after->collected;
        run_remove(after);
    }
    run_insert(first, count, sort, dirty_pages);
    first->idle_since = now;
}

static size_t run_purge_oldest(void) {
    struct slab *first = range_slab_by_id(runs.oldest);
    uint32_t count = RUN_LENGTH(first->run);
    uint64_t pages = first->collected;

    run_remove(first);
    plat_purge((void *)range_slab_base(first), (size_t)count << SLAB_SHIFT);
    run_join(first, count, CLEAN, 0, 0);
    return pages * POOL_PAGE_SIZE;
}

static uint64_t idle_allowed(void) {
    uint64_t share = runs.live_bytes / IDLE_SHARE;
    return share > IDLE_LEAST ? share : IDLE_LEAST;
}

static bool idle_above(void) {
    return runs.dirty_pages * POOL_PAGE_SIZE > idle_allowed();
}

static bool oldest_since(uint64_t wait, uint64_t now) {
    return runs.oldest != 0 && range_slab_by_id(runs.oldest)->idle_since + wait <= now;
}

static size_t purge_above(uint64_t now) {
    size_t given = 0;
    while (idle_above() && oldest_since(GRACE, now))
        given += run_purge_oldest();
    return given;
}

size_t range_purge(bool everything) {
    uint64_t now = plat_clock_ms(), wait = options_get()->purge_ms;
    size_t given = 0;

    engine_lock(LOCK_RANGES);
    while (everything ? runs.oldest != 0 : oldest_since(wait, now))
        given += run_purge_oldest();
    given += purge_above(now);
    run_publish();
    engine_unlock(LOCK_RANGES);
    return given;
}

static void peak_update(uint64_t now) {
    if (now >= runs.peak_time + GRACE) {
        runs.peak_bytes /= 2;
        runs.peak_time = now;
    }
    if (runs.peak_bytes < runs.live_bytes)
        runs.peak_bytes = runs.live_bytes;
}

bool range_above(void) {
    engine_lock(LOCK_RANGES);
    bool above = idle_above();
    engine_unlock(LOCK_RANGES);
    return above;
}

/* --- taking and returning ------------------------------------------------------------------------- */

/* Never-used slabs at a range's high end; the slabs skipped for alignment become a clean run. */
static struct slab *run_grow(unsigned number, uint32_t count, size_t alignment) {
    struct root *root = range_root(number);
    uint64_t high = STATE_LOAD(&root->slab_high);
    uint32_t skip = run_skip(range_slab_at(number, high), alignment);
    uint64_t first = range_grow(number, (uint64_t)skip + count);

    if (first == 0)
        return NULL;
    if (skip > 0)
        run_join(range_slab_at(number, first), skip, CLEAN, 0, 0);
    return range_slab_at(number, first + skip);
}

static struct slab *run_take(uint32_t count, size_t alignment, bool *zero) {
    struct slab *s = run_find(DIRTY, count, alignment);
    if (s == NULL)
        s = run_find(CLEAN, count, alignment);
    if (s != NULL)
        return run_split(s, count, alignment, zero);
    *zero = true;
    for (unsigned number = 0; range_root(number) != NULL && s == NULL; number++)
        s = run_grow(number, count, alignment);
    return s;
}

struct slab *range_take(uint32_t count, size_t alignment, bool *zero) {
    uint64_t bytes = (uint64_t)count << SLAB_SHIFT, limit = options_get()->limit;
    struct slab *s = NULL;

    engine_lock(LOCK_RANGES);
    if (limit == 0 || runs.live_bytes + bytes <= limit) {
        s = run_take(count, alignment, zero);
        if (s == NULL && runs.oldest != 0) {
            /* Dirty and clean neighbours may be enough together. */
            while (runs.oldest != 0)
                run_purge_oldest();
            s = run_take(count, alignment, zero);
        }
        if (s == NULL && range_add(count + (alignment >> SLAB_SHIFT)))
            s = run_take(count, alignment, zero);
    }
    if (s != NULL)
        runs.live_bytes += bytes;
    run_publish();
    engine_unlock(LOCK_RANGES);
    return s;
}

bool range_return(struct slab *first, uint32_t count, uint64_t dirty_pages) {
    uint64_t now = plat_clock_ms();

    engine_lock(LOCK_RANGES);
    peak_update(now);
    runs.live_bytes -= (uint64_t)count << SLAB_SHIFT;
    run_join(first, count, dirty_pages > 0 ? DIRTY : CLEAN, dirty_pages, now);
    purge_above(now);
    bool emptied = idle_above() && runs.live_bytes < runs.peak_bytes / EMPTIED_SHARE;
    run_publish();
    engine_unlock(LOCK_RANGES);
    return emptied;
}

bool range_extend(struct slab *first, uint32_t count, uint32_t more, bool *zero) {
    uint32_t id = range_slab_id(first), number = id >> SLAB_ID_BITS;
    uint64_t after = (id & ((1u << SLAB_ID_BITS) - 1)) + (uint64_t)count;
    uint64_t bytes = (uint64_t)more << SLAB_SHIFT, limit = options_get()->limit;
    bool done = false;

    engine_lock(LOCK_RANGES);
    if (limit == 0 || runs.live_bytes + bytes <= limit) {
        struct slab *next = range_slab_at(number, after);
        if (after == STATE_LOAD(&range_root(number)->slab_high)) {
            done = range_grow(number, more) != 0;
            *zero = true;
        } else if (RUN_LENGTH(next->run) >= more) {
            run_split(next, more, SLAB_SIZE, zero);
            done = true;
        }
    }
    if (done)
        runs.live_bytes += bytes;
    run_publish();
    engine_unlock(LOCK_RANGES);
    return done;
}

/* --- walking -------------------------------------------------------------------------------------- */

static const char *walk_runs_of(const struct root *root, uint64_t *dirty_pages,
                                unsigned *dirty_runs) {
    const struct slab *slabs = (const struct slab *)root->slabs;
    bool dirty_before = false, clean_before = false;

    for (uint64_t i = 1; i < STATE_LOAD(&root->slab_high);) {
        const struct slab *s = &slabs[i];
        bool dirty = s->run & RUN_DIRTY;
        uint32_t length = RUN_LENGTH(s->run);
        if (s->kind != SLAB_NONE) {
            if (length != 0)
                return "a slab in service is in a free run";
            dirty_before = clean_before = false;
            i += s->kind == SLAB_SPAN ? (s->span_bytes + SLAB_SIZE - 1) >> SLAB_SHIFT : 1;
            continue;
        }
        if (length == 0 || slabs[i + length - 1].run != s->run)
            return "a slab out of service is in no free run";
        if (dirty ? dirty_before : clean_before)
            return "two free runs of one sort lie side by side";
        if (dirty) {
            *dirty_pages += s->collected;
            ++*dirty_runs;
        }
        dirty_before = dirty;
        clean_before = !dirty;
        i += length;
    }
    return NULL;
}

const char *range_walk(void) {
    uint64_t dirty_pages = 0;
    unsigned dirty_runs = 0, listed = 0;
    const char *wrong = NULL;

    engine_lock(LOCK_RANGES);
    for (unsigned n = 0; range_root(n) != NULL && wrong == NULL; n++)
        wrong = walk_runs_of(range_root(n), &dirty_pages, &dirty_runs);
    if (wrong == NULL && dirty_pages != runs.dirty_pages)
        wrong = "the dirty runs' pages do not add up";
    for (uint32_t id = runs.oldest; id != 0; id = range_slab_by_id(id)->heap_next)
        listed++;
    if (wrong == NULL && listed != dirty_runs)
        wrong = "a dirty run is missing from the idle list";
    engine_unlock(LOCK_RANGES);
    return wrong;
}
