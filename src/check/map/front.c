/* Memory used front to back: see front.h. */
#include "check/map/front.h"

#include "plat/plat.h"

#define STEP ((size_t)256 << 10)
#define PAGE ((size_t)4096)
/* How much comes ahead: this share of what is there, a page at the least, and at the most so much. */
#define AHEAD_SHARE 16u
#define AHEAD_MOST ((size_t)64 << 10)
/* Where so much is there, a huge page, which costs what some thirty small ones do: docs/DESIGN.md. */
#define HUGE_FROM ((size_t)16 << 20)

bool front_start(struct front *f, size_t most, size_t least) {
    size_t room = plat_address_space_left() / 16;
    for (size_t size = most; size >= least; size /= 2) {
        void *base = size <= room ? plat_reserve(size, PLAT_HUGE) : NULL;
        if (base == NULL)
            continue;
        *f = (struct front){.base = base, .size = size};
        return true;
    }
    return false;
}

static bool commit(struct front *f) {
    size_t step = f->committed >= HUGE_FROM ? PLAT_HUGE : STEP;
    if (step > f->size - f->committed)
        step = f->size - f->committed;
    if (step == 0 || !plat_commit(f->base + f->committed, step))
        return false;
    f->committed += step;
    return true;
}

/* What comes next of what is committed. */
static void make_present(struct front *f) {
    size_t left = f->committed - f->present, ahead = f->present / AHEAD_SHARE & ~(PAGE - 1);
    if (f->present >= HUGE_FROM && left >= PLAT_HUGE && f->present % PLAT_HUGE == 0 &&
        plat_huge_ready() && plat_populate_huge(f->base + f->present)) {
        f->present += PLAT_HUGE;
        return;
    }
    if (ahead > AHEAD_MOST)
        ahead = AHEAD_MOST;
    if (ahead > left)
        ahead = left;
    if (ahead > PAGE)
        plat_populate(f->base + f->present, ahead);
    f->present += ahead > PAGE ? ahead : PAGE;
}

bool front_reach(struct front *f, size_t used) {
    while (used > f->present) {
        if (f->present == f->committed && !commit(f))
            return false;
        make_present(f);
    }
    return true;
}
