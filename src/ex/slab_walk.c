/* What holds of a slab and of its heap while nobody is in a call. */
#include "ex/cold.h"
#include "ex/range.h"
#include "ex/share.h"

static unsigned chain_length(const struct slab *slab, const struct free_block *b,
                             const char **wrong) {
    uintptr_t base = range_slab_base(slab);
    unsigned n = 0;

    for (; b != NULL && *wrong == NULL; b = b->next, n++)
        if ((uintptr_t)b - base >= SLAB_SIZE || !slab_starts_block(slab, b))
            *wrong = "a free list leaves its slab";
        else if (n > slab_class(slab)->capacity)
            *wrong = "a free list goes in a circle";
    return n;
}

static unsigned side_count(const struct slab *slab) {
    unsigned n = 0;
    for (unsigned i = 0; i < SIDE_ENTRIES(slab->block_size); i++)
        n += ((const uint32_t *)slab->side)[i] >> SIDE_SHIFT != 0;
    return n;
}

const char *slab_walk(const struct slab *slab) {
    uint64_t w = STATE_LOAD(&slab->remote), live = slab_live(slab);
    const char *wrong = NULL;
    const struct free_block *head =
        REMOTE_HEAD(w) == 0
            ? NULL
            : (struct free_block *)(range_slab_base(slab) + (REMOTE_HEAD(w) - 1) * 16);
    bool leads = slab->flags & SLAB_LEADS; /* then share_walk looks at its list */
    unsigned own = leads ? 0 : chain_length(slab, slab->free, &wrong);
    unsigned remote = wrong == NULL ? chain_length(slab, head, &wrong) : 0;
    bool in_bin = slab->flags & (SLAB_LINKED | SLAB_CURRENT);

    if (wrong != NULL)
        return wrong;
    if (!leads && own + remote + live + slab_uncarved(slab) != slab_class(slab)->capacity)
        return "free, remote, live and uncarved blocks do not add up to the slab's capacity";
    if (remote != REMOTE_PUSHES(w) - slab->collected)
        return "the remote list is not as long as pushes since the last collection";
    if (slab->kind == SLAB_MIXED && side_count(slab) != live)
        return "a side array does not name the live blocks";
    if (REMOTE_STATE(w) == REMOTE_NONE || (REMOTE_STATE(w) == REMOTE_OWNED && !in_bin))
        return "a slab's remote state and its bin disagree";
    if (STATE_LOAD(&slab->generation) % 2 != 0)
        return "a generation is odd at rest";
    return NULL;
}

const char *slab_walk_heap(const struct heap *heap) {
    uint32_t slabs = 0, idle = 0, seldom_pages = 0, lonely = 0;

    for (uint32_t id = heap->slabs; id != 0; slabs++) {
        const struct slab *slab = range_slab_by_id(id);
        id = slab->heap_next;
        idle += (slab->flags & SLAB_IDLE) != 0;
        seldom_pages += slab->seldom;
        lonely += (slab->flags & SLAB_LONELY) != 0;
        if ((slab->seldom != 0 || slab->flags & SLAB_LONELY) && !(slab->flags & SLAB_CURRENT))
            return "a slab that is not its bin's current one is looked at seldom";
    }
    for (const struct binset *set = heap->sets; set != NULL; set = set->next)
        for (unsigned c = 0; c < engine_classes.count[set->layout]; c++) {
            const struct slab *leader = set->current[c];
            const char *wrong = leader->flags & SLAB_LEADS ? share_walk(heap, set, leader) : NULL;
            if (wrong != NULL)
                return wrong;
        }
    if (slabs != heap->slab_count)
        return "a heap's list of slabs is not as long as their number";
    if (idle != heap->idle_slabs)
        return "a heap does not know how many of its slabs are kept idle";
    if (seldom_pages != heap->seldom_pages || lonely != heap->lonely_slabs)
        return "a heap does not know which of its slabs are looked at seldom";
    return NULL;
}
