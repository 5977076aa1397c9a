#include "ex/classes.h"
#include "base/options.h"

#define SPECIAL_HEADER 16u /* what GFlags counts with the size that was asked for */

struct classes engine_classes;

static void class_add(enum class_layout layout, uint32_t size, bool page_unit) {
    struct class_info *c = &engine_classes.info[layout][engine_classes.count[layout]++];
    uint32_t unit = page_unit ? POOL_PAGE_SIZE : SLAB_SIZE;

    rxp_check(engine_classes.count[layout] <= CLASS_SPECIAL);
    c->block_size = size;
    c->reciprocal = (uint32_t)((((uint64_t)1 << 32) + size - 1) / size);
    c->unit_mask = (uint16_t)(unit - 1);
    c->per_unit = (uint16_t)(unit / size);
    c->limit =
        (uint16_t)((c->per_unit - 1) * (size * c->reciprocal)); /* the product wraps at 2^32 */
    c->capacity = (uint16_t)(c->per_unit * (SLAB_SIZE / unit));
    c->carvings = page_unit ? SLAB_SIZE / POOL_PAGE_SIZE : c->capacity;
    c->eighth = c->capacity >= 8 ? c->capacity / 8 : 1;
    c->step =
        page_unit ? c->per_unit : (uint16_t)(size < POOL_PAGE_SIZE ? POOL_PAGE_SIZE / size : 1);
}

static void pool_classes(void) {
    for (uint32_t size = 16; size <= 256; size += 16)
        class_add(LAYOUT_POOL, size, true);
    for (uint32_t k = 15; k >= 1; k--)
        class_add(LAYOUT_POOL, (uint32_t)(POOL_PAGE_SIZE / k) & ~15u, true);
    for (uint32_t pages = 2; pages * POOL_PAGE_SIZE <= SLAB_BLOCK_MAX; pages++)
        class_add(LAYOUT_POOL, pages * POOL_PAGE_SIZE, false);
}

static void dense_classes(void) {
    for (uint32_t size = 16; size <= 256; size += 16)
        class_add(LAYOUT_DENSE, size, true);
    for (uint32_t base = 256; base < POOL_PAGE_SIZE; base *= 2)
        for (uint32_t eighth = 1; eighth <= 8; eighth++)
            class_add(LAYOUT_DENSE, base + eighth * (base / 8), false);
    for (uint32_t size = 5120; size <= 8192; size += 1024)
        class_add(LAYOUT_DENSE, size, false);
    for (uint32_t k = 7; k >= 2; k--)
        class_add(LAYOUT_DENSE, (uint32_t)(SLAB_SIZE / k) & ~15u, false);
    for (uint32_t eighth = 5; eighth <= 8; eighth++)
        class_add(LAYOUT_DENSE, (uint32_t)SLAB_SIZE / 8 * eighth, false);
}

static void aligned_classes(enum class_layout layout) {
    for (unsigned shift = 0; shift <= CLASS_ALIGNMENT_SHIFT; shift++) {
        uint8_t *first = engine_classes.aligned[layout][shift];
        unsigned found = CLASS_SPECIAL;
        for (unsigned c = CLASSES_MAX; c-- > 0;) {
            const struct class_info *info = &engine_classes.info[layout][c];
            if (c < engine_classes.count[layout] &&
                (info->block_size % (1u << shift) == 0 || info->capacity == 1))
                found = c;
            first[c] = (uint8_t)found;
        }
    }
}

static void special_class(void) {
    uint64_t asked = options_get()->special_size;
    if (asked <= SPECIAL_HEADER || asked > UINT64_MAX - 15)
        return;
    engine_classes.special_size = rxp_round_up(asked, 16) - SPECIAL_HEADER;
    for (int layout = 0; layout < 2; layout++) {
        if (engine_classes.special_size > slab_block_max((enum class_layout)layout))
            continue;
        uint8_t *class = &engine_classes.of[layout][engine_classes.special_size / 16];
        engine_classes.special[layout] = *class;
        *class = CLASS_SPECIAL;
    }
}

unsigned classes_of(enum class_layout layout, size_t size) {
    unsigned class = engine_classes.of[layout][(size + 15) >> 4];
    return RXP_LIKELY(class != CLASS_SPECIAL) ? class : engine_classes.special[layout];
}

bool classes_special(size_t size) {
    size_t most = engine_classes.special_size;
    return most != 0 && size <= most && size + 16 > most;
}

void classes_init(void) {
    pool_classes();
    dense_classes();
    for (int layout = 0; layout < 2; layout++) {
        unsigned c = 0;
        for (size_t i = 0; i <= slab_block_max((enum class_layout)layout) / 16; i++) {
            while (engine_classes.info[layout][c].block_size < i * 16)
                c++;
            engine_classes.of[layout][i] = (uint8_t)c;
        }
        aligned_classes((enum class_layout)layout);
    }
    special_class();
}

int classes_aligned(enum class_layout layout, size_t size, size_t alignment) {
    if (size > slab_block_max(layout) || alignment > (size_t)1 << CLASS_ALIGNMENT_SHIFT)
        return -1;
    unsigned shift = (unsigned)__builtin_ctzll(alignment);
    unsigned class = engine_classes.aligned[layout][shift][classes_of(layout, size)];
    return class == CLASS_SPECIAL ? -1 : (int)class;
}
