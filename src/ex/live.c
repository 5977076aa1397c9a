/*
 * Every live block of the engine, for a search for references. The threads that use the engine are
 * stopped, each at whatever instruction it was: the lists are read as they are at such an instant, and
 * with the care that a list needs whose links lie in memory that the program can overwrite.
 */
#include "ex/range.h"
#include "ex/remote.h"
#include "ex/slab.h"
#include "ex/special.h"

#define BLOCKS_MOST (SLAB_SIZE / 16)
/* A list that several slabs share ends before; one that was overwritten may go in a circle. */
#define LISTED_MOST (1u << 20)

/* Which blocks of the slab that is being looked at are free; one search at a time. */
static uint64_t free_blocks[BLOCKS_MOST / 64];

static void mark_chain(const struct slab *slab, uintptr_t block) {
    const struct class_info *c = slab_class(slab);
    uintptr_t base = range_slab_base(slab);
    for (unsigned n = 0; n < c->capacity; n++) {
        uintptr_t offset = block - base;
        if (offset >= SLAB_SIZE || offset % sizeof(void *) != 0)
            return;
        unsigned i = class_index(c, (unsigned)offset);
        if (i < BLOCKS_MOST)
            free_blocks[i / 64] |= 1ull << i % 64;
        block = *(const uintptr_t *)block;
    }
}

/* Those of the slab's blocks that are on the list that it shares. */
static void mark_listed(const struct slab *slab, const struct slab *leader) {
    const struct class_info *c = slab_class(slab);
    const void *block = leader->free;

    for (unsigned n = 0; n < LISTED_MOST; n++) {
        const struct slab *of = range_slab(block);
        if (of == NULL || STATE_LOAD(&of->kind) != SLAB_OWN || slab_list(of) != leader ||
            !slab_starts_block(of, block))
            return;
        unsigned i = class_index(c, (unsigned)((uintptr_t)block & (SLAB_SIZE - 1)));
        if (of == slab)
            free_blocks[i / 64] |= 1ull << i % 64;
        block = *(const void *const *)block;
    }
}

static void mark_free(const struct slab *slab) {
    uint64_t remote = atomic_load_explicit(&slab->remote, memory_order_acquire);
    for (unsigned i = 0; i < RXP_COUNT(free_blocks); i++)
        free_blocks[i] = 0;
    if (!(slab->flags & SLAB_LEADS))
        mark_chain(slab, (uintptr_t)slab->free);
    if (slab->flags & (SLAB_LEADS | SLAB_SHARES))
        mark_listed(slab, slab_list(slab));
    if (REMOTE_HEAD(remote) != 0)
        mark_chain(slab, range_slab_base(slab) + (REMOTE_HEAD(remote) - 1) * 16);
}

/* Calls visit for the blocks of one unit, whose first is number `first` of the slab. */
static void each_of_unit(const struct slab *slab, unsigned first, unsigned blocks, uintptr_t start,
                         void (*visit)(void *, uintptr_t, size_t), void *argument) {
    bool mixed = STATE_LOAD(&slab->kind) == SLAB_MIXED;
    for (unsigned i = 0; i < blocks; i++) {
        uintptr_t block = start + (uintptr_t)i * slab->block_size;
        bool live = mixed ? slab_side_account(slab, (const void *)block) != 0
                          : (free_blocks[(first + i) / 64] >> (first + i) % 64 & 1) == 0;
        if (live)
            visit(argument, block, slab->block_size);
    }
}

static void each_of_slab(const struct slab *slab, void (*visit)(void *, uintptr_t, size_t),
                         void *argument) {
    const struct class_info *c = slab_class(slab);
    uintptr_t base = range_slab_base(slab);
    mark_free(slab);
    if (c->unit_mask == 0xFFFF) {
        each_of_unit(slab, 0, slab->carved, base, visit, argument);
        return;
    }
    for (unsigned k = 0; k < slab->carved; k++) {
        unsigned page = slab_carved_page(slab, k);
        each_of_unit(slab, page * c->per_unit, c->per_unit, base + page * POOL_PAGE_SIZE, visit,
                     argument);
    }
}

void engine_each_live(void (*visit)(void *argument, uintptr_t block, size_t bytes),
                      void *argument) {
    for (unsigned n = 0; range_root(n) != NULL; n++) {
        const struct root *root = range_root(n);
        for (uint64_t i = 1; i < STATE_LOAD(&root->slab_high); i++) {
            const struct slab *slab = (const struct slab *)root->slabs + i;
            uint8_t kind = STATE_LOAD(&slab->kind);
            if (kind == SLAB_SPAN)
                visit(argument, range_slab_base(slab), slab->span_bytes);
            else if (kind == SLAB_SPECIAL)
                special_each_live(slab, visit, argument);
            else if (kind != SLAB_NONE)
                each_of_slab(slab, visit, argument);
        }
    }
}
