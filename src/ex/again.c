/*
 * The block that was given back last, asked for again: what a program does that frees a block and allocates another
 * of its kind. Its place is known then, and so is what lies behind it in the list of free blocks.
 */
#include "ex/engine.h"
#include "ex/fast.h"

bool engine_free_noted(void *block, struct backend_place *place) {
    const struct slab_label *label = fast_label(block);

    if (RXP_UNLIKELY(STATE_LOAD(&label->owner) != engine_thread.direct_id))
        return false;
    rxp_assert(label_starts_block(label, block));
    struct slab *list = label_list(label);
    *place = (struct backend_place){block, list, list->free, STATE_LOAD(&list->generation)};
    fast_give(list, block);
    return true;
}

/*
 * Whatever happened meanwhile, the slab serves the same account and class while its generation is the same. It need not be
 * its bin's current one: who takes a slab out of the bin's list looks whether there is room in it, and from one that is in
 * no bin this takes no more than the free has brought. The free was a step towards the slab's next look, and stays one: where
 * there is nothing but such pairs, looks are what memory is given back by.
 */
bool engine_alloc_again(const struct backend_place *place) {
    struct slab *slab = place->slab;
    struct free_block *block = place->memory;

    if (RXP_UNLIKELY(STATE_LOAD(&slab_label(slab)->owner) != engine_thread.direct_id ||
                     slab->free != block || STATE_LOAD(&slab->generation) != place->generation ||
                     block->next != place->next))
        return false;
    slab->free = block->next;
    RXP_COUNTER_ADD(&slab->allocs, 1);
    return true;
}
