#include "ex/remote.h"
#include "ex/range.h"

/* The head's block, in the slab that starts at `base`. */
static struct free_block *remote_block(uintptr_t base, uint32_t head) {
    return head == 0 ? NULL : (struct free_block *)(base + (size_t)(head - 1) * 16);
}

void remote_take(struct slab *slab) {
    uint64_t w = STATE_LOAD(&slab->remote), taken;

    do {
        taken = remote_word(0, REMOTE_STATE(w), REMOTE_PUSHES(w));
        /* Acquire: the links that the pushers wrote before their release. */
    } while (!atomic_compare_exchange_weak_explicit(&slab->remote, &w, taken, memory_order_acquire,
                                                    memory_order_relaxed));
    rxp_assert(slab->free == NULL);
    slab->free = remote_block(range_slab_base(slab), REMOTE_HEAD(w));
    slab->out = (uint16_t)(slab->out - (REMOTE_PUSHES(w) - slab->collected));
    slab->collected = REMOTE_PUSHES(w);
}

bool remote_become_full(struct slab *slab, unsigned eighth) {
    uint64_t w = STATE_LOAD(&slab->remote);

    while (REMOTE_HEAD(w) == 0) {
        if (REMOTE_STATE(w) == REMOTE_NOTIFIED)
            return true; /* its notice is on the way, and will put it back */
        STATE_STORE(&slab->full_mark, REMOTE_PUSHES(w) + eighth);
        /* Release: who sees FULL sees the mark. */
        if (atomic_compare_exchange_weak_explicit(&slab->remote, &w,
                                                  remote_word(0, REMOTE_FULL, REMOTE_PUSHES(w)),
                                                  memory_order_release, memory_order_relaxed))
            return true;
    }
    remote_take(slab);
    return false;
}

void remote_set_state(struct slab *slab, enum remote_state state) {
    uint64_t w = STATE_LOAD(&slab->remote);

    /* Acquire: blocks that others gave back; release: counts that the next to look relies on. */
    while (!atomic_compare_exchange_weak_explicit(
        &slab->remote, &w, remote_word(REMOTE_HEAD(w), state, REMOTE_PUSHES(w)),
        memory_order_acq_rel, memory_order_relaxed))
        continue;
}

bool remote_become_orphan(struct slab *slab) {
    uint64_t w = STATE_LOAD(&slab->remote);

    do {
        if (REMOTE_STATE(w) == REMOTE_NOTIFIED)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(
        &slab->remote, &w, remote_word(REMOTE_HEAD(w), REMOTE_ORPHAN, REMOTE_PUSHES(w)),
        memory_order_acq_rel, memory_order_relaxed));
    return true;
}

uint64_t remote_close(struct slab *slab) {
    remote_set_state(slab, REMOTE_NONE);
    return REMOTE_PUSHES(STATE_LOAD(&slab->remote));
}

/* --- the pusher's side ------------------------------------------------------------------------------- */

/* Exactly one pusher gets here for each time a slab was full: it owns notify_next until the owner drains. */
static void remote_notify(struct heap *heap, struct slab *slab) {
    uint32_t id = range_slab_id(slab), old = STATE_LOAD(&heap->notify);

    do
        slab->notify_next = old;
    while (!atomic_compare_exchange_weak(&heap->notify, &old, id));
    /* Pairs with slab_orphan_all, which stores the state and then looks at the list. */
    if (atomic_load(&heap->public.state) != HEAP_FREE)
        return;
    engine_lock(LOCK_HEAPS);
    if (STATE_LOAD(&heap->public.state) == HEAP_FREE)
        slab_orphan_notified(heap);
    engine_unlock(LOCK_HEAPS);
}

/*
 * This push emptied an orphan, or seemed to: by the time of the lock the slab may have been retired, adopted or reused by
 * somebody else. What is done goes by what is found, never by which slab it was.
 */
static void remote_retire(struct heap *heap, struct slab *slab) {
    engine_lock(LOCK_HEAPS);
    if (STATE_LOAD(&heap->public.state) == HEAP_FREE && slab_owner(slab) == heap->public.id &&
        REMOTE_STATE(STATE_LOAD(&slab->remote)) == REMOTE_ORPHAN && slab_live(slab) == 0)
        slab_retire_orphan(heap, slab);
    engine_unlock(LOCK_HEAPS);
}

void slab_push(struct slab *slab, uint32_t owner, void *block) {
    /* Before the push: after it, another thread may have retired the slab. */
    struct heap *heap = heap_by_id(owner);
    uintptr_t offset = (uintptr_t)block & (SLAB_SIZE - 1), base = (uintptr_t)block - offset;
    uint32_t head = (uint32_t)offset / 16 + 1;
    uint64_t w = atomic_load_explicit(&slab->remote, memory_order_acquire), pushes;
    enum remote_state state, next;

    do {
        state = REMOTE_STATE(w);
        pushes = REMOTE_PUSHES(w) + 1;
        next = state == REMOTE_FULL && pushes >= STATE_LOAD(&slab->full_mark) ? REMOTE_NOTIFIED
                                                                              : state;
        ((struct free_block *)block)->next = remote_block(base, REMOTE_HEAD(w));
        /* Release: the link, and what the caller did with the block; acquire: the counts behind ORPHAN. */
    } while (!atomic_compare_exchange_weak_explicit(&slab->remote, &w,
                                                    remote_word(head, next, pushes),
                                                    memory_order_acq_rel, memory_order_acquire));
    if (next != state)
        remote_notify(heap, slab);
    else if (state == REMOTE_ORPHAN &&
             STATE_LOAD(&slab->allocs) == FREED_COUNT(STATE_LOAD(&slab->freed)) + pushes)
        remote_retire(heap, slab);
}
