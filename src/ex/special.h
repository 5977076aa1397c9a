/*
 * Blocks on pages of their own, next to a page that stops whoever touches it (special=).
 *
 * They lie in the pool's own range, so that one look at a descriptor answers for them as for every other
 * block. Slabs of kind SLAB_SPECIAL form areas; an area has slots of one length, between guard pages that
 * neighbours share:
 *
 *   | guard | slot 0 | guard | slot 1 | guard | ...      an area of one slab; seven slots of one page
 *   | guard | the only slot            | guard |         longer slots: as many slabs as it takes
 *
 *   special_side=over     | bd bd bd ... | block | 0 to 15 bytes bd | guard |
 *   special_side=exact    | bd bd bd ...                    | block | guard |
 *   special_side=under    | guard | block | bd bd bd ... |
 *
 * A slot is inaccessible but while its block lives. A freed one waits, inaccessible, behind many others
 * (freed_blocks and freed_pages bound it) before it is used again, so that a use after free stops at the
 * access; what was known of its block is kept until then. Of the bytes of a slot that are not the block's
 * those next to it are filled, and checked when it is freed.
 *
 * A slot's life, in slot.state; whoever moves LIVE to FREED by compare-and-swap owns what follows:
 *
 *   EMPTY --special lock--> TAKEN --> LIVE --> FREED --special lock--> EMPTY
 *                                          --> ASIDE    damaged, or touched after its free, and told to go on
 *
 *   every slot is TAKEN, LIVE, ASIDE, in the queue of freed ones, or free in its area's mask
 *   an area with a free slot, and only such a one, is in the list of its length
 *
 * The record of an area is the engine's own memory, which no program that overruns its block can reach,
 * and is never unmapped: a fault handler may read it at any time.
 */
#ifndef RXPOOL_EX_SPECIAL_H
#define RXPOOL_EX_SPECIAL_H

#include "base/backend.h"
#include "ex/heap.h"

#define SPECIAL_SLOTS 7u    /* most slots of an area */
#define SPECIAL_SLACK 0xBDu /* fills what is not the block's */

enum special_state { SPECIAL_EMPTY, SPECIAL_TAKEN, SPECIAL_LIVE, SPECIAL_FREED, SPECIAL_ASIDE };

struct special_slot {
    uintptr_t start; /* what the engine hands out and gets back */
    uint64_t size;   /* bytes from there that it accounts */
    uintptr_t block; /* what the program has: start, but for checked blocks */
    uint64_t bytes;
    const void *allocated_at, *freed_at; /* return addresses, NULL unknown */
    struct special_slot *next;           /* in the queue of freed ones */
    struct special_area *area;
    uint32_t account;
    _Atomic uint32_t state;
    _Atomic bool touched; /* may have been written to since it was freed */
    bool checked;         /* what is not the block's belongs to the checked build */
};

struct special_area {
    uintptr_t base; /* of its first slab */
    uint32_t slabs;
    uint32_t pages; /* of a slot */
    uint32_t slots;
    uint32_t free;                    /* bit i: slot i is EMPTY and may be taken */
    _Atomic bool opened;              /* a guard was opened, to go on after a report */
    struct special_area *next, *prev; /* in the list of its length */
    struct special_slot slot[SPECIAL_SLOTS];
};

/*
 * What asks for guard pages. Bits, so that entry points test one byte; SPECIAL_UNREAD until the options
 * are, so that the first call asks too.
 */
#define SPECIAL_UNREAD 1u
#define SPECIAL_RULE 2u   /* by tag or size */
#define SPECIAL_SAMPLE 4u /* one in so many */
extern _Atomic uint8_t special_asked;

RXP_INLINE unsigned special_asks(void) {
    return atomic_load_explicit(&special_asked, memory_order_acquire);
}

/* Reads the options; called once by engine_start, with the first range standing. */
void special_start(void);

/*
 * For the entry points, when special_asked is not 0: the block, zeroed, where the call is to have a guard
 * page and one can be had; else NULL, and the ordinary pool serves the call. Adds ENGINE_NO_INSTALL to
 * *flags where the account's calls must go on coming by here.
 */
void *special_serve(uint64_t key, size_t size, size_t alignment, unsigned *flags,
                    const void *caller);
/* The same for checked blocks, on the account `key`. */
bool special_serve_checked(uint64_t key, const struct guard_request *q, struct guard_place *out);

/* Frees a block on a special slab, as engine_free. ENGINE_DAMAGED: it is set aside for good. */
enum engine_verdict special_free(struct slab *slab, void *block, uint32_t tag);
/* Notes who is about to free `block`, where that is a guarded one that the checked build knows nothing of. */
void special_note_free(const void *block, const void *caller);
enum engine_verdict special_lookup(const struct slab *slab, uintptr_t address,
                                   struct engine_block *out);
/* Usable bytes of a live guarded block; 0 for anything else. */
size_t special_size(const void *block);
/* The slot in whose pages, or next to whose end that guards it, `address` lies; NULL for none. */
struct special_slot *special_slot_near(const struct slab *slab, uintptr_t address);
uintptr_t special_slot_base(const struct special_slot *slot);
size_t special_slot_bytes(const struct special_slot *slot);
/* The first damaged byte next to the block, and the end of those that are checked; 0 where all are whole. */
uintptr_t special_damage(const struct special_slot *slot, uintptr_t *end);

/* Counts a slab's allocations since it was last counted, for special=1/N. */
void special_count(struct heap *heap, struct slab *slab);
/* The slow paths' hook: nothing where blocks are not sampled. */
RXP_INLINE void special_look(struct heap *heap, struct slab *slab) {
    if (RXP_UNLIKELY(special_asks() & SPECIAL_SAMPLE))
        special_count(heap, slab);
}

/* engine_each_live's and engine_walk's part. */
void special_each_live(const struct slab *slab, void (*visit)(void *, uintptr_t, size_t),
                       void *argument);
const char *special_walk(const struct slab *slab);

/* How far the guards reach. */
struct special_coverage {
    uint64_t guarded;     /* blocks that had one */
    uint64_t live, freed; /* now; freed: inaccessible, waiting to be used again */
    uint64_t left_open;   /* frees after which the system refused to make the pages inaccessible */
    uint64_t no_guard;    /* went without: the system allows no more guards */
    uint64_t no_memory;   /* no address space, memory, or limit= */
    uint64_t no_shape;    /* more than a GiB, or aligned to more than a page */
    uint64_t no_time;     /* 1/N: more often than may be spent time on */
};
void special_coverage(struct special_coverage *out);

/* special_fault.c: catches the faults; false when the system refuses. */
bool special_catch(void);
/*
 * A call of `routine`, to which `caller` is the return address, is about to have the system read or write memory:
 * reports what a guard page would stop, since the system answers EFAULT there.
 */
void special_judge(const void *memory, size_t bytes, bool write, const void *caller,
                   const char *routine);
/* Appends the lines that a report of a free has for a guarded block. */
struct text;
void special_put_sites(struct text *out, const void *address);
/* The report of ENGINE_DAMAGED, begun; the caller adds lines and commits it. */
struct stop_report;
struct stop_report *special_report_damage(const void *block, const void *caller);
/* tell appends what the checked build knows of its block at `block`; false where no site is among it. */
void special_set_tell(bool (*tell)(struct text *out, uint64_t block, bool freed),
                      bool (*lives)(uint64_t block));
/* Whether the checked build holds the slot's block to be live. */
bool special_lives_checked(const struct special_slot *slot);

#endif
