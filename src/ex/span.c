#include "ex/span.h"
#include "ex/account.h"
#include "ex/range.h"
#include "ex/remote.h"

#define SPAN_MOST ((size_t)1 << 40)

static uint32_t slabs_of(uint64_t bytes) {
    return (uint32_t)((bytes + SLAB_SIZE - 1) >> SLAB_SHIFT);
}

/* Bytes of a fresh span that may hold data. */
static void zero(unsigned char *block, uint64_t bytes, struct range_dirt dirt) {
    uint64_t from = (uint64_t)dirt.from << SLAB_SHIFT, to = (uint64_t)dirt.to << SLAB_SHIFT;

    if (to > bytes)
        to = bytes;
    if (from < to)
        __builtin_memset(block + from, 0, to - from);
}

void *span_alloc(struct heap *heap, uint32_t account, size_t size, size_t alignment,
                 unsigned flags) {
    struct range_dirt dirt;

    if (size > SPAN_MOST || alignment > SPAN_MOST)
        return NULL;
    uint64_t bytes = rxp_round_up(size == 0 ? 1 : size, POOL_PAGE_SIZE);
    struct slab *slab =
        range_take_dirt(slabs_of(bytes), alignment < SLAB_SIZE ? SLAB_SIZE : alignment, &dirt);
    if (slab == NULL)
        return NULL;
    void *block = (void *)range_slab_base(slab);
    slab_publish_span(slab, account, account_at(account)->tag, bytes);
    count_alloc(heap, account, bytes);
    if (flags & ENGINE_ZERO)
        zero(block, bytes, dirt);
    return block;
}

bool span_free(struct heap *heap, struct slab *slab) {
    uint32_t account = STATE_LOAD(&slab->account);
    uint64_t bytes = slab->span_bytes;

    if (!slab_hide_span(slab))
        return false;
    count_free(heap, account, bytes);
    if (range_return(slab, slabs_of(bytes), slabs_of(bytes) * (SLAB_SIZE / POOL_PAGE_SIZE)))
        heap_rest();
    if (heap != NULL)
        heap_tick(heap);
    return true;
}

bool span_resize(struct heap *heap, struct slab *slab, size_t size) {
    uint32_t have = slabs_of(slab->span_bytes), want;
    uint64_t old = slab->span_bytes, bytes;

    if (size > SPAN_MOST || size <= SLAB_BLOCK_MAX)
        return size <= old && size > old / 2;
    bytes = rxp_round_up(size, POOL_PAGE_SIZE);
    want = slabs_of(bytes);
    if (want > have && !range_extend(slab, have, want - have))
        return false;
    slab->span_bytes = bytes;
    count_resize(heap, STATE_LOAD(&slab->account), old, bytes);
    if (want < have)
        range_return(slab + want, have - want, (have - want) * (SLAB_SIZE / POOL_PAGE_SIZE));
    return true;
}

struct slab *span_around(struct slab *slab) {
    struct slab *first = slab;

    while (STATE_LOAD(&first->kind) == SLAB_NONE && first->run == 0 && range_slab_id(first) > 1)
        first--;
    if (STATE_LOAD(&first->kind) != SLAB_SPAN)
        return NULL;
    return (uint64_t)(slab - first) < slabs_of(first->span_bytes) ? first : NULL;
}
