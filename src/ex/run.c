/*
 * Runs of free slabs, and the one policy for empty memory.
 *
 * A free run is slabs in a row, all SLAB_NONE; `run` of its first and last descriptor holds its length and sort, so
 * that a returned run finds its neighbours. `run` is 0 everywhere else, and only the ranges lock's holder looks. Runs are
 * of three sorts, kept apart: dirty (pages may hold data; the first descriptor counts them and knows since when they lie
 * idle), clean (every byte reads as zero, but where the system gave pages back as they were), and the rest of huge pages,
 * which is dirty and kept for those who will write all of it. Neighbours of one sort are one run. A dirty run is
 * preferred: its pages are there. Clean runs hold address space only. Where no dirty run is long enough, one is taken
 * together with its neighbours, or grown at the range's end.
 *
 *   lists[sort][n]   runs of n slabs, n < LISTS; the last list holds longer ones, any order
 *   idle             runs that are not clean, oldest first (heap_next, heap_prev)
 *   sum of their page counts = root.dirty_bytes / 4096
 *   every slab below slab_high is in service or in exactly one free run
 */
#include "ex/run.h"
#include "base/options.h"

#define LISTS 64u
#define SLAB_PAGES (SLAB_SIZE / POOL_PAGE_SIZE)
#define IDLE_LEAST ((uint64_t)1 << 20)
#define IDLE_SHARE 8u  /* of what lives, in an emptied pool */
#define SPARE_SHARE 4u /* of what lived lately, above it */
/* Of what lives, a huge page: the rest of one that is not used is memory for nothing. */
#define HUGE_SHARE 4u
/* How long idle memory that is too much waits, ms: what a loop takes again at once is not worth giving back. */
#define GRACE 30u
/* Where less than this share of what lived lately is left, the pool counts as emptied. */
#define EMPTIED_SHARE 4u
/* Dirty runs that are looked at for one that will do together with its neighbours. */
#define JOINTS_MOST 16u

enum sort { CLEAN, DIRTY, HUGE_REST, SORTS };

/* slab.run: the sort above the length */
#define RUN_SORT_SHIFT 30
#define RUN_OF(sort, length) ((uint32_t)(sort) << RUN_SORT_SHIFT | (length))
#define RUN_LENGTH(run) ((run) & ((1u << RUN_SORT_SHIFT) - 1))

static struct {
    uint32_t lists[SORTS][LISTS]; /* slab ids */
    uint64_t occupied[SORTS];     /* bit n: lists[.][n] holds a run */
    uint32_t oldest, newest;
    uint64_t live_bytes, dirty_pages;
    uint64_t most, most_before; /* the most that lived in this half of purge= and in the last one */
    uint64_t half_time;         /* when this half began */
    bool stale; /* a purge left bytes that are not zero: a clean run may hold them */
} runs;

static unsigned run_list(uint32_t count) {
    return count < LISTS ? count : LISTS - 1;
}

static enum sort run_sort(const struct slab *first) {
    return (enum sort)(first->run >> RUN_SORT_SHIFT);
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

    first->run = last->run = RUN_OF(sort, count);
    first->collected = dirty_pages;
    first->bin_prev = 0;
    first->bin_next = *head;
    if (*head != 0)
        range_slab_by_id(*head)->bin_prev = id;
    *head = id;
    runs.occupied[sort] |= (uint64_t)1 << run_list(count);
    if (sort != CLEAN) {
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
    if (sort != CLEAN) {
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

/* What is left of one run when [taken, end) is taken out of it goes back as it was. */
static void run_cut_one(struct slab *first, struct slab *taken, struct slab *end,
                        struct range_dirt *dirt) {
    enum sort sort = run_sort(first);
    struct slab *stop = first + RUN_LENGTH(first->run);
    struct slab *from = first < taken ? taken : first, *to = stop < end ? stop : end;
    uint64_t dirty = first->collected, since = first->idle_since;

    run_remove(first);
    /* This part is taken to be the dirty one. */
    uint64_t taken_pages = pages_of((uint32_t)(to - from), dirty);
    dirty -= taken_pages;
    dirt->pages += taken_pages;
    if (first < from) {
        uint64_t pages = pages_of((uint32_t)(from - first), dirty);
        run_insert(first, (uint32_t)(from - first), sort, pages);
        first->idle_since = since;
        dirty -= pages;
    }
    if (to < stop) {
        run_insert(to, (uint32_t)(stop - to), sort, dirty);
        to->idle_since = since;
    }
    if (sort == CLEAN && !runs.stale)
        return;
    if (dirt->to == 0)
        dirt->from = (uint32_t)(from - taken);
    dirt->to = (uint32_t)(to - taken);
}

/* Takes [taken, end) out of the free runs that cover it; `first` is the one that `taken` lies in. */
static void run_cut(struct slab *first, struct slab *taken, struct slab *end,
                    struct range_dirt *dirt) {
    *dirt = (struct range_dirt){0};
    for (struct slab *s = first, *next; s < end; s = next) {
        next = s + RUN_LENGTH(s->run);
        run_cut_one(s, taken, end, dirt);
    }
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
    if (!plat_purge((void *)range_slab_base(first), (size_t)count << SLAB_SHIFT))
        runs.stale = true;
    run_join(first, count, CLEAN, 0, 0);
    return pages * POOL_PAGE_SIZE;
}

static uint64_t share_of(uint64_t bytes, uint64_t share) {
    return bytes / share > IDLE_LEAST ? bytes / share : IDLE_LEAST;
}

/* The most that lived within the last purge= milliseconds, or half of them where half are over. */
static uint64_t lived_lately(void) {
    return runs.most > runs.most_before ? runs.most : runs.most_before;
}

static void most_update(uint64_t now) {
    uint64_t half = options_get()->purge_ms / 2;

    if (now >= runs.half_time + half) {
        runs.most_before = now < runs.half_time + 2 * half ? runs.most : 0;
        runs.most = 0;
        runs.half_time = now;
    }
    if (runs.most < runs.live_bytes)
        runs.most = runs.live_bytes;
}

static bool emptied(void) {
    return runs.live_bytes < lived_lately() / EMPTIED_SHARE;
}

/* What would be too much if it were known that nobody comes back for it. */
static bool idle_much(void) {
    return runs.dirty_pages * POOL_PAGE_SIZE > share_of(runs.live_bytes, IDLE_SHARE);
}

static bool above_lately(void) {
    uint64_t most = lived_lately();
    uint64_t idle = runs.dirty_pages * POOL_PAGE_SIZE;
    return runs.live_bytes + idle > most + share_of(most, SPARE_SHARE);
}

static bool oldest_since(uint64_t wait, uint64_t now) {
    return runs.oldest != 0 && range_slab_by_id(runs.oldest)->idle_since + wait <= now;
}

/*
 * Whether idle memory that may not stay has waited long enough. Together with what lives it may be as much as lived lately,
 * and a quarter or a MiB for what does not fit: what comes and goes finds its pages again. A pool that has been emptied may
 * be between two such times, and gets half of purge= to show that.
 */
static bool is_overdue(uint64_t now) {
    return (above_lately() && oldest_since(GRACE, now)) ||
           (emptied() && idle_much() && oldest_since(options_get()->purge_ms / 2, now));
}

static size_t purge_above(uint64_t now) {
    size_t given = 0;
    while (is_overdue(now))
        given += run_purge_oldest();
    return given;
}

/* Fresh pages were taken, since no idle ones would do: as many idle ones go as would make a new peak of the sum. */
static void purge_instead(void) {
    while (runs.oldest != 0 && above_lately())
        run_purge_oldest();
}

size_t range_purge(bool everything) {
    uint64_t now = plat_clock_ms(), wait = options_get()->purge_ms;
    size_t given = 0;

    engine_lock(LOCK_RANGES);
    while (everything ? runs.oldest != 0 : oldest_since(wait, now))
        given += run_purge_oldest();
    most_update(now);
    given += purge_above(now);
    run_publish();
    engine_unlock(LOCK_RANGES);
    return given;
}

bool range_emptied(void) {
    engine_lock(LOCK_RANGES);
    bool is = emptied();
    engine_unlock(LOCK_RANGES);
    return is;
}

bool range_above(void) {
    if (STATE_LOAD(&range_root(0)->dirty_bytes) <= IDLE_LEAST)
        return false;
    engine_lock(LOCK_RANGES);
    bool much = idle_much();
    engine_unlock(LOCK_RANGES);
    return much;
}

/* --- fresh slabs ---------------------------------------------------------------------------------- */

static struct slab *run_take_from(struct slab *run, uint32_t count, size_t alignment,
                                  struct range_dirt *dirt) {
    struct slab *taken = run + run_skip(run, alignment);

    run_cut(run, taken, taken + count, dirt);
    return taken;
}

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

/* --- runs of both sorts together ------------------------------------------------------------------ */

/* The first slab, from `s` on, that is in no free run; not looked for behind `enough`. */
static struct slab *stretch_end(const struct root *root, struct slab *s,
                                const struct slab *enough) {
    const struct slab *high = (struct slab *)root->slabs + STATE_LOAD(&root->slab_high);

    while (s < enough && s < high && s->run != 0)
        s += RUN_LENGTH(s->run);
    return s;
}

/* The first slab of the free runs that end before `s`; not looked for in front of `enough`. */
static struct slab *stretch_start(const struct root *root, struct slab *s,
                                  const struct slab *enough) {
    const struct slab *lowest = (struct slab *)root->slabs + 1;

    while (s > enough && s > lowest && s[-1].run != 0)
        s -= RUN_LENGTH(s[-1].run);
    return s;
}

struct joint {
    struct slab *first, *taken; /* the run that the slabs to take begin in, and they */
    uint32_t fresh;             /* of them, how many the range has to grow by */
    uint64_t dirty;
};

static struct root *root_of(const struct slab *slab) {
    return range_root(range_slab_id(slab) >> SLAB_ID_BITS);
}

/* Slabs around a dirty run that is too short: with what follows it, or else with what is in front of it too. */
static bool joint_around(struct slab *run, uint32_t count, struct joint *j) {
    const struct root *root = root_of(run);
    const struct slab *high = (struct slab *)root->slabs + STATE_LOAD(&root->slab_high);
    struct slab *end = stretch_end(root, run, run + count);

    *j = (struct joint){.first = run, .taken = run};
    if (end < run + count && end == high) {
        j->fresh = (uint32_t)(run + count - end);
    } else if (end < run + count) {
        j->taken = end - count;
        j->first = stretch_start(root, run, j->taken);
        if (j->first > j->taken)
            return false;
    }
    for (struct slab *s = j->first; s < j->taken + count && s < end; s += RUN_LENGTH(s->run))
        j->dirty += run_sort(s) != CLEAN ? pages_of(count, s->collected) : 0;
    return true;
}

/* Around the longest dirty runs: those of the others are soon taken by requests of their own size. */
static bool joint_find(uint32_t count, struct joint *best) {
    unsigned left = JOINTS_MOST;
    struct joint j;

    best->dirty = 0;
    for (uint64_t lists = runs.occupied[DIRTY]; lists != 0 && left != 0;) {
        unsigned longest = 63 - (unsigned)__builtin_clzll(lists);
        lists &= ~((uint64_t)1 << longest);
        for (uint32_t id = runs.lists[DIRTY][longest]; id != 0 && left != 0; left--) {
            struct slab *run = range_slab_by_id(id);
            if (joint_around(run, count, &j) && j.dirty > best->dirty)
                *best = j;
            id = run->bin_next;
        }
    }
    return best->dirty != 0;
}

static struct slab *joint_take(uint32_t count, struct range_dirt *dirt) {
    struct joint j;

    if (!joint_find(count, &j))
        return NULL;
    if (j.fresh != 0 && range_grow(range_slab_id(j.taken) >> SLAB_ID_BITS, j.fresh) == 0)
        return NULL;
    run_cut(j.first, j.taken, j.taken + (count - j.fresh), dirt);
    return j.taken;
}

/* --- taking and returning ------------------------------------------------------------------------- */

static struct slab *run_take_clean(uint32_t count, size_t alignment, struct range_dirt *dirt) {
    struct slab *s = run_find(CLEAN, count, alignment);

    if (s != NULL)
        return run_take_from(s, count, alignment, dirt);
    *dirt = (struct range_dirt){0};
    for (unsigned number = 0; range_root(number) != NULL && s == NULL; number++)
        s = run_grow(number, count, alignment);
    return s;
}

/* Idle pages that do; else as many as can be had together with fresh ones; else fresh ones. */
static struct slab *run_take(uint32_t count, size_t alignment, struct range_dirt *dirt) {
    struct slab *s = run_find(DIRTY, count, alignment);

    if (s != NULL)
        return run_take_from(s, count, alignment, dirt);
    if (alignment <= SLAB_SIZE)
        s = joint_take(count, dirt);
    return s != NULL ? s : run_take_clean(count, alignment, dirt);
}

static bool limit_allows(uint64_t bytes) {
    uint64_t limit = options_get()->limit;
    return limit == 0 || runs.live_bytes + bytes <= limit;
}

static void count_taken(uint64_t bytes, bool fresh) {
    runs.live_bytes += bytes;
    if (runs.most < runs.live_bytes)
        runs.most = runs.live_bytes;
    if (fresh)
        purge_instead();
}

#define HUGE_SLABS ((uint32_t)(PLAT_HUGE >> SLAB_SHIFT))

static bool huge_is_due(void) {
    return runs.live_bytes / HUGE_SHARE >= PLAT_HUGE && plat_huge_ready();
}

/*
 * One slab of a huge page, of a new one where nothing lies idle. The lock is held while it comes: a fork would else lose
 * the slabs, and the faults of as many would take longer.
 */
static struct slab *run_take_huge(struct range_dirt *dirt) {
    struct slab *s = run_find(HUGE_REST, 1, SLAB_SIZE);

    if (s != NULL)
        return run_take_from(s, 1, SLAB_SIZE, dirt);
    if (runs.occupied[DIRTY] != 0 || !huge_is_due())
        return NULL;
    s = run_take_clean(HUGE_SLABS, PLAT_HUGE, dirt);
    if (s == NULL)
        return NULL;
    bool there = plat_populate_huge((void *)range_slab_base(s));
    if (there)
        dirt->pages = SLAB_PAGES;
    run_join(s + 1, HUGE_SLABS - 1, there ? HUGE_REST : CLEAN,
             there ? (HUGE_SLABS - 1) * SLAB_PAGES : 0, plat_clock_ms());
    return s;
}

struct slab *range_take_dirt(uint32_t count, size_t alignment, struct range_dirt *dirt) {
    uint64_t bytes = (uint64_t)count << SLAB_SHIFT;
    struct slab *s = NULL;

    engine_lock(LOCK_RANGES);
    uint64_t dirty_pages = runs.dirty_pages;
    if (limit_allows(bytes)) {
        s = run_take(count, alignment, dirt);
        if (s == NULL && runs.oldest != 0) {
            /* Dirty and clean neighbours may be enough together. */
            while (runs.oldest != 0)
                run_purge_oldest();
            s = run_take(count, alignment, dirt);
        }
        if (s == NULL && range_add(count + (alignment >> SLAB_SHIFT)))
            s = run_take(count, alignment, dirt);
    }
    if (s != NULL)
        count_taken(bytes, dirty_pages - runs.dirty_pages < (uint64_t)count * SLAB_PAGES);
    run_publish();
    engine_unlock(LOCK_RANGES);
    return s;
}

struct slab *range_take_dense(struct range_dirt *dirt) {
    struct slab *s = NULL;

    engine_lock(LOCK_RANGES);
    uint64_t dirty_pages = runs.dirty_pages;
    if (limit_allows(SLAB_SIZE))
        s = run_take_huge(dirt);
    if (s != NULL) {
        count_taken(SLAB_SIZE, runs.dirty_pages >= dirty_pages);
        run_publish();
    }
    engine_unlock(LOCK_RANGES);
    return s != NULL ? s : range_take_dirt(1, SLAB_SIZE, dirt);
}

struct slab *range_take_unlike_lately(uint32_t count, size_t alignment) {
    uint64_t bytes = (uint64_t)count << SLAB_SHIFT;
    struct slab *s = NULL;
    struct range_dirt dirt;

    engine_lock(LOCK_RANGES);
    if (limit_allows(bytes) && runs.live_bytes + bytes > lived_lately())
        s = run_take_clean(count, alignment, &dirt);
    if (s != NULL)
        count_taken(bytes, true);
    run_publish();
    engine_unlock(LOCK_RANGES);
    return s;
}

bool range_return(struct slab *first, uint32_t count, uint64_t dirty_pages) {
    uint64_t now = plat_clock_ms();

    engine_lock(LOCK_RANGES);
    most_update(now);
    runs.live_bytes -= (uint64_t)count << SLAB_SHIFT;
    run_join(first, count, dirty_pages > 0 ? DIRTY : CLEAN, dirty_pages, now);
    purge_above(now);
    bool rest = emptied() && idle_much();
    run_publish();
    engine_unlock(LOCK_RANGES);
    return rest;
}

bool range_extend(struct slab *first, uint32_t count, uint32_t more) {
    const struct root *root = root_of(first);
    struct slab *from = first + count, *end;
    bool done = false;

    engine_lock(LOCK_RANGES);
    uint64_t dirty_pages = runs.dirty_pages;
    if (limit_allows((uint64_t)more << SLAB_SHIFT)) {
        struct range_dirt dirt;
        const struct slab *high = (struct slab *)root->slabs + STATE_LOAD(&root->slab_high);
        end = stretch_end(root, from, from + more);
        if (end >= from + more)
            end = from + more;
        done = end == from + more ||
               (end == high && range_grow(root->number, (uint64_t)(from + more - end)) != 0);
        if (done)
            run_cut(from, from, end, &dirt);
    }
    if (done)
        count_taken((uint64_t)more << SLAB_SHIFT,
                    dirty_pages - runs.dirty_pages < (uint64_t)more * SLAB_PAGES);
    run_publish();
    engine_unlock(LOCK_RANGES);
    return done;
}

/* --- walking -------------------------------------------------------------------------------------- */

static const char *walk_runs_of(const struct root *root, uint64_t *dirty_pages,
                                unsigned *dirty_runs) {
    const struct slab *slabs = (const struct slab *)root->slabs, *before = NULL;

    for (uint64_t i = 1; i < STATE_LOAD(&root->slab_high);) {
        const struct slab *s = &slabs[i];
        uint32_t length = RUN_LENGTH(s->run);
        if (s->kind != SLAB_NONE) {
            if (length != 0)
                return "a slab in service is in a free run";
            before = NULL;
            i += s->kind == SLAB_SPAN ? (s->span_bytes + SLAB_SIZE - 1) >> SLAB_SHIFT : 1;
            continue;
        }
        if (length == 0 || slabs[i + length - 1].run != s->run)
            return "a slab out of service is in no free run";
        if (before != NULL && run_sort(before) == run_sort(s))
            return "two free runs of one sort lie side by side";
        if (run_sort(s) != CLEAN) {
            *dirty_pages += s->collected;
            ++*dirty_runs;
        }
        before = s;
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
