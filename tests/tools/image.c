#include "image.h"

#include <string.h>
#include <sys/mman.h>

static char *image_map(void) {
    char *wide = mmap(NULL, IMAGE_SIZE + 2 * SLAB_SIZE, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    rxp_check(wide != MAP_FAILED);
    /* An inaccessible page stays in front, so that the mapping starts here. */
    char *base = (char *)rxp_round_up((uintptr_t)wide + 1, SLAB_SIZE);
    rxp_check(mprotect(base, IMAGE_SIZE, PROT_READ | PROT_WRITE) == 0);
    return base;
}

static void image_root(struct root *root) {
    memcpy(root->magic, LAYOUT_MAGIC, sizeof(root->magic));
    root->version = LAYOUT_VERSION;
    root->root_bytes = sizeof(struct root);
    root->slab_bytes = sizeof(struct slab);
    root->account_bytes = sizeof(struct account);
    root->heap_bytes = sizeof(struct heap_public);
    root->site_bytes = sizeof(struct site);
    root->self = (uintptr_t)root;
    root->range_size = IMAGE_SIZE;
    root->slab_count = IMAGE_SLABS;
    root->slab_high = 1;
    root->account_capacity = IMAGE_ACCOUNTS;
    root->account_high = 3; /* the overflow accounts */
    root->site_high = 1;
}

void image_make(struct image *image) {
    char *at = image_map();

    *image = (struct image){.root = (struct root *)at};
    image_root(image->root);
    at += ROOT_SIZE;
    image->slabs = (struct slab *)at;
    at += IMAGE_SLABS * sizeof(struct slab);
    image->accounts = (struct account *)at;
    at += IMAGE_ACCOUNTS * sizeof(struct account);
    image->sites = (struct site *)at;
    at += IMAGE_ACCOUNTS * sizeof(struct site);
    image->shared = (struct counters *)at;
    at += IMAGE_ACCOUNTS * sizeof(struct counters);
    for (int i = 0; i < 2; i++) {
        image->heaps[i] = (struct heap_public *)at;
        at += rxp_round_up(sizeof(struct heap_public), 64);
        image->counters[i] = (struct counters *)at;
        at += IMAGE_ACCOUNTS * sizeof(struct counters);
        image->flows[i] = (struct flow *)at;
        at += IMAGE_ACCOUNTS * sizeof(struct flow);
        image->heaps[i]->id = (uint32_t)i + 1;
        image->heaps[i]->flows = (uintptr_t)image->flows[i];
        image->heaps[i]->counters = (uintptr_t)image->counters[i];
        image->heaps[i]->counters_high = IMAGE_ACCOUNTS;
    }
    image->heaps[1]->next_heap = (uintptr_t)image->heaps[0];
    image->root->slabs = (uintptr_t)image->slabs;
    image->root->accounts = (uintptr_t)image->accounts;
    image->root->sites = (uintptr_t)image->sites;
    image->root->shared_counters = (uintptr_t)image->shared;
    image->root->heaps = (uintptr_t)image->heaps[1];
}

void image_drop(struct image *image) {
    munmap(image->root, IMAGE_SIZE);
}

uint32_t image_account(struct image *image, uint32_t tag, uint32_t type, uint32_t site) {
    uint32_t id = image->root->account_high;

    image->accounts[id] = (struct account){.key = ACCOUNT_KEY(tag, type, site)};
    image->root->account_high = id + 1;
    return id;
}

uint32_t image_slab(struct image *image, uint32_t account, uint32_t block_size, uint64_t allocs,
                    uint64_t frees, uint64_t pushes) {
    uint32_t index = (uint32_t)image->root->slab_high;
    struct slab *slab = &image->slabs[index];

    slab->kind = SLAB_OWN;
    slab->account = (uint16_t)account;
    slab->block_size = block_size;
    slab->allocs = allocs;
    slab->freed = frees * FREED_STEP;
    slab->remote = pushes << (REMOTE_HEAD_BITS + REMOTE_STATE_BITS);
    slab->generation = 2;
    image->root->slab_high = index + 1;
    return index;
}

uint32_t image_site(struct image *image, const char *name, uint32_t line) {
    uint32_t id = image->root->site_high;

    image->sites[id] = (struct site){(uintptr_t)name, (uint32_t)strlen(name), line};
    image->root->site_high = id + 1;
    return id;
}
