#include "ex/look.h"

/* So much may be empty without anybody having seen it. */
#define SELDOM_PAGES 256u

void look_forget(struct heap *heap, struct slab *slab) {
    heap->lonely_slabs -= (slab->flags & SLAB_LONELY) != 0;
    heap->seldom_pages -= slab->seldom;
    slab->seldom = 0;
    slab->flags &= (uint16_t) ~(SLAB_SELDOM | SLAB_LONELY);
}

uint32_t look_after_many(struct heap *heap, struct slab *slab, uint32_t live) {
    unsigned pages = slab_carved_pages(slab);

    look_forget(heap, slab);
    if (live >= LOOK_EVERY || heap->seldom_pages + pages > SELDOM_PAGES)
        return live;
    slab->flags |= SLAB_SELDOM;
    slab->seldom = (uint8_t)pages;
    heap->seldom_pages += pages;
    return LOOK_EVERY;
}

void look_lonely(struct heap *heap, struct slab *slab) {
    slab->flags ^= SLAB_LONELY;
    if (slab->flags & SLAB_LONELY)
        heap->lonely_slabs++;
    else
        heap->lonely_slabs--;
}
