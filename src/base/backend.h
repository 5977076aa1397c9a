/*
 * What the checked build may ask of the pool below it, over and above its documented routines. ex
 * defines pool_backend() over its engine (ex/backend.c); where the pool is a kernel's own, it
 * answers NULL and the checked build does without.
 */
#ifndef RXPOOL_BASE_BACKEND_H
#define RXPOOL_BASE_BACKEND_H

#include "base/text.h"

enum backend_kind {
    BACKEND_BLOCK,    /* the start of a block */
    BACKEND_INTERIOR, /* inside a block */
    BACKEND_UNUSED,   /* the pool's memory, in no live block */
    BACKEND_FOREIGN,  /* not the pool's memory */
};

struct pool_backend {
    /* What `address` is; never touches the memory. *start and *tag are set for the first two. */
    enum backend_kind (*lookup)(const void *address, uintptr_t *start, uint32_t *tag);
    /* Counts `blocks` (+1 or -1) blocks like `block` that their user has freed but check still holds. */
    void (*hold)(const void *block, int blocks);
    /* From now on `describe` names what check knows at an address, in the pool's own reports. */
    void (*set_describe)(void (*describe)(struct text *out, const void *address));
};

/* NULL where there is none. */
const struct pool_backend *pool_backend(void);

#endif
