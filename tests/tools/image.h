/*
 * A pool's tables made by hand, with figures that a test knows, in this process's own memory.
 */
#ifndef RXPOOL_TESTS_TOOLS_IMAGE_H
#define RXPOOL_TESTS_TOOLS_IMAGE_H

#include "ex/layout.h"

#define IMAGE_SIZE ((size_t)1 << 20)
#define IMAGE_SLABS 64
#define IMAGE_ACCOUNTS 512
#define IMAGE_TAG(a, b, c, d) ((uint32_t)(a) | (b) << 8 | (c) << 16 | (uint32_t)(d) << 24)

/* Where things lie in the image. The root comes first. */
struct image {
    struct root *root;
    struct slab *slabs;
    struct account *accounts;
    struct site *sites;
    struct counters *shared;
    struct heap_public *heaps[2]; /* heaps[1] is the newer one */
    struct counters *counters[2];
    struct flow *flows[2];
};

/* Maps an empty image: two heaps with counters and flows each, no account, no slab. */
void image_make(struct image *image);
void image_drop(struct image *image);
/* Adds an account; its id. */
uint32_t image_account(struct image *image, uint32_t tag, uint32_t type, uint32_t site);
/* Puts a slab of the account into service; its index. */
uint32_t image_slab(struct image *image, uint32_t account, uint32_t block_size, uint64_t allocs,
                    uint64_t frees, uint64_t pushes);
uint32_t image_site(struct image *image, const char *name, uint32_t line);

#endif
