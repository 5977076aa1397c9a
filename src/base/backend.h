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

/* A checked block that is to lie between guard pages. */
struct guard_request {
    uint32_t type, tag; /* of the pool's block; a POOL_TYPE with modifiers */
    size_t size, alignment;
    size_t lead; /* room for a header in front, where the block is not to start behind a guard */
    const void *caller; /* a return address, or NULL */
};

/* Where it lies: `start` is what is given back; all bytes up to block + size + tail are its own, and zero. */
struct guard_place {
    uintptr_t start, block;
    size_t tail;
};

/* What the caller of the checked build asked for. */
struct backend_request {
    uint64_t size;
    uint32_t tag;
    uint32_t type;    /* POOL_TYPE with modifiers */
    const char *file; /* the call's site, or its return address: NULL where unknown */
    uint32_t line;
    const void *pc;
};

/* As what the pool counts a block. */
struct counted_block {
    uint32_t account; /* 0: as nothing */
    int64_t bytes;
};

/* Of the pool, or NULL; `whole`: there is some, and the list of free blocks that it was taken from goes on to a block. */
struct backend_memory {
    void *memory;
    bool whole;
};

/* Where a block was that went back. */
struct backend_place {
    void *memory, *slab;
    const void *next; /* what the list of free blocks went on with */
    uint32_t generation;
};

struct pool_backend {
    /* What `address` is; never touches the memory. *start and *tag are set for the first two. */
    enum backend_kind (*lookup)(const void *address, uintptr_t *start, uint32_t *tag);
    /*
     * Takes back the memory of a heap's block (check/heap.h) without a look at the pool's rules; false
     * where that is not to be had at once, and the memory goes the usual way.
     */
    bool (*release)(void *block);
    /* As what a block is counted, which is still there. Waits for nothing, and takes no lock. */
    struct counted_block (*counted)(const void *block);
    /* Counts so many (+1 or -1) of them that their user has freed but check still holds. */
    void (*hold)(struct counted_block block, int blocks);
    /* The same of a block that is still there, and is held from now on. */
    void (*hold_block)(const void *block);
    /* The same of two at once: `in` is held from now on, if it is counted as anything, and `block` no longer. */
    void (*hold_instead)(struct counted_block in, const void *block);
    /* That, and then what release does. */
    bool (*release_held)(struct counted_block in, void *block);
    /*
     * What release does, of any checked block, and where that was. allocate_again hands out the very block to the thread that
     * gave it back, for what it was before: false, and nothing was done, where another call came between or the list of free
     * blocks is not as it was left.
     */
    bool (*release_noted)(void *block, struct backend_place *place);
    bool (*allocate_again)(const struct backend_place *place);
    /*
     * Calls visit for every block that the pool has handed out, checked or not. The other threads are
     * stopped; one caller at a time.
     */
    void (*each_live)(void (*visit)(void *argument, uintptr_t block, size_t bytes), void *argument);
    /*
     * ExAllocatePoolWithTagPriority where that would serve the call at once, and list_goes_on of the block;
     * NULL: nothing was done, ask it. So it is at DISPATCH_LEVEL and above.
     */
    struct backend_memory (*allocate)(uint32_t type, size_t size, uint32_t tag);
    /*
     * After an allocation that answered `block`: whether the list of free blocks that it was taken from goes
     * on to a block. The list runs through memory that was freed and may have been written to since; where
     * it does not, what is left of it is forgotten. Called by the thread that allocated.
     */
    bool (*list_goes_on)(const void *block);
    /* From now on `describe` names what check knows at an address, in the pool's own reports. */
    void (*set_describe)(void (*describe)(struct text *out, const void *address));
    /*
     * A block between guard pages, where the options ask for one and one can be had; else false, and
     * the block is asked for as others are.
     */
    bool (*guarded)(const struct guard_request *q, struct guard_place *out);
    /* The block in whose guarded pages the address lies, or was; 0 for none. */
    uint64_t (*guarded_around)(const void *address);
    /*
     * From now on `tell` appends what is known of such a block to the report of an access; false: no site
     * is among it. `lives` answers whether check holds the block to be live: the pool's own routines may
     * not free it then, where its address is also that of the pool's block.
     */
    void (*set_tell)(bool (*tell)(struct text *out, uint64_t block, bool freed),
                     bool (*lives)(uint64_t block));
    /*
     * Under fail=: whether the request has to fail. Raises where its type says so. After false the calling
     * thread's own requests of the pool are not failed until fault_over.
     */
    bool (*fault_judge)(const struct backend_request *request);
    void (*fault_over)(void);
    /* From now on every block that is handed out is written from its first byte to its last, so its pages may come at once. */
    void (*writes_all)(void);
};

/* NULL where there is none. */
const struct pool_backend *pool_backend(void);

#endif
