/*
 * The engine's data as it lies in memory. A monitor reads it from outside (another process, a core
 * file), so every structure is fixed-width, versioned by the root record, and reached from it alone.
 *
 *   one range:
 *   | root | descriptors, one for each slab | labels, the same | metadata | slab 0: guard | slab 1 ...  |
 *   ^ self   ^ slabs                                                       ^ slab_area
 *
 *   descriptor of pointer p = slabs + ((p - slab_area) >> SLAB_SHIFT) * sizeof(struct slab)
 *
 * Everything that a block's user can reach lies after the guard; everything that the engine believes
 * lies before it. Further ranges (limited address space) have their own root, chained by next_range;
 * accounts, sites and heaps hang off the first root only.
 */
#ifndef RXPOOL_EX_LAYOUT_H
#define RXPOOL_EX_LAYOUT_H

#include <stdatomic.h>

#include "base/base.h"

#define LAYOUT_MAGIC "rxpool range v1\n" /* 16 bytes, no terminator */
#define LAYOUT_VERSION 7u

#define POOL_PAGE_SHIFT 12
#define POOL_PAGE_SIZE ((size_t)1 << POOL_PAGE_SHIFT)
#define SLAB_SHIFT 16
#define SLAB_SIZE ((size_t)1 << SLAB_SHIFT)
#define ROOT_SIZE POOL_PAGE_SIZE

#define ACCOUNTS_MAX 65536u       /* ids 1..65535; 0 is none */
#define ACCOUNT_OVERFLOW 1u       /* the account that further ones share */
#define ACCOUNT_OVERFLOW_DENSE 2u /* the same for the drop-in's layout */
#define SITES_MAX 65536u          /* ids 1..65535; 0 is none */
#define RANGES_MAX 64u

/* Account type bits. Tables merge rows of one tag, pool type (paged or not) and site. */
#define ACCOUNT_PAGED 1u
#define ACCOUNT_EXECUTABLE 2u
#define ACCOUNT_QUOTA 4u
#define ACCOUNT_DENSE 8u /* the drop-in's blocks: denser classes, no page rule */

/* key = tag | type << 32 | site << 40; bit 63 is never set in the key of an account. */
#define ACCOUNT_KEY(tag, type, site)                                                               \
    ((uint64_t)(uint32_t)(tag) | (uint64_t)(type) << 32 | (uint64_t)(site) << 40)

struct root {
    char magic[16];
    uint32_t version;
    uint32_t root_bytes, slab_bytes, account_bytes, heap_bytes, site_bytes; /* sizeof each */
    uint64_t self;               /* address of this root */
    uint64_t range_size;         /* bytes reserved from self */
    uint64_t slabs;              /* address of the descriptor array */
    uint64_t slab_area;          /* address of slab 0, which is never made accessible */
    uint64_t slab_count;         /* slabs in the reservation, slab 0 included */
    _Atomic uint64_t slab_high;  /* descriptors at or above it were never used: do not read them */
    _Atomic uint64_t next_range; /* address of the next range's root, 0 for the last */
    uint32_t number;             /* of this range, 0 for the first */
    uint32_t pid_at_start;

    /* In the first range's root only. */
    uint64_t accounts; /* address of struct account[account_capacity] */
    uint64_t sites;    /* address of struct site[account_capacity] */
    uint64_t
        shared_counters; /* address of struct counters[account_capacity]: threads without a heap */
    uint32_t account_capacity; /* ACCOUNTS_MAX, fewer in a small address space */
    uint32_t reserved;
    _Atomic uint32_t account_high; /* ids at or above it are unused */
    _Atomic uint32_t site_high;
    _Atomic uint64_t heaps;       /* address of the newest heap; heap.next_heap chains the rest */
    _Atomic uint64_t live_bytes;  /* slabs and spans in service, in bytes */
    _Atomic uint64_t dirty_bytes; /* free but not yet given back */
    _Atomic uint64_t
        foreign_frees; /* frees passed on because the block was not the pool's (drop-in) */
    uint32_t by;       /* enum options_by: what a row stands for */
    uint32_t checked;
};

/* What an account's blocks on mixed slabs and in spans have done in one heap. One writer, the heap's owner. */
struct counters {
    _Atomic uint64_t allocs, frees, bytes_in, bytes_out;
};

/*
 * What an account's blocks on mixed slabs have done in one heap since their flow was last carried into the account's
 * counters. One addition counts a block and its bytes:
 *   in    | blocks again: 6 bits | blocks: 22 | bytes / 16: 36 |
 *   out                          | blocks: 22 | bytes / 16: 36 | 0: 6 |
 * The addition's own flags tell what is due: each 64th block in carries out of the word, the 2^21st block out sets its
 * sign. From its 2^21st block on a flow is carried, `in` at the next look; blocks of up to 64 KiB have filled neither by then.
 */
struct flow {
    _Atomic uint64_t in, out;
};

#define LOOK_SHIFT 6
#define LOOK_EACH (1u << LOOK_SHIFT)
#define FLOW_SHIFT 36
/* What a block adds to `in`; to `out` FLOW_OUT of it. */
#define FLOW_OF(bytes)                                                                             \
    ((uint64_t)1 << (64 - LOOK_SHIFT) | (uint64_t)1 << FLOW_SHIFT | (uint64_t)(bytes) >> 4)
#define FLOW_OUT(in) ((in) << LOOK_SHIFT)
/* Of `out`, or FLOW_OUT(in). */
#define FLOW_BLOCKS(out) ((out) >> (FLOW_SHIFT + LOOK_SHIFT))
#define FLOW_BYTES(out) (((out) >> LOOK_SHIFT & (((uint64_t)1 << FLOW_SHIFT) - 1)) << 4)
#define FLOW_FULL(out) ((out) >> 63 != 0)
#define FLOW_MOST                                                                                  \
    ((uint64_t)1 << (63 - LOOK_SHIFT - FLOW_SHIFT)) /* blocks that a flow is carried with */

/*
 * An account: (tag, type bits, site). Never freed. Figures:
 *   allocs = retired_allocs + sum over its own slabs of slab.allocs
 *            + sum over heaps of (counters.allocs + blocks of flow.in) + shared_counters.allocs
 *   frees  = retired_frees + sum over its own slabs of (FREED_COUNT(slab.freed) + pushes) + the same of counters and flow.out
 *   bytes  = sum over its own slabs of (allocs - FREED_COUNT(freed) - pushes) * block_size + bytes_in - bytes_out
 *            + bytes of flow.in - bytes of flow.out
 *   diff   = allocs - frees, less held_blocks for the caller's view
 * A slab that retires is folded in between fold_begin and fold_end: a reader that finds them apart, or
 * moved since its pass began, reads the account again.
 */
struct account {
    union {
        uint64_t key; /* ACCOUNT_KEY of what follows */
        struct {
            uint32_t tag;
            uint32_t type : 8; /* ACCOUNT_ bits */
            uint32_t site : 24;
        };
    };
    uint32_t hash_next;
    _Atomic uint64_t fold_begin, fold_end;
    _Atomic uint64_t retired_allocs, retired_frees;
    _Atomic int64_t held_blocks,
        held_bytes; /* freed by the caller, kept in the checked build's quarantine */
    _Atomic int64_t overhead_bytes; /* header and guard bytes of live checked blocks */
    _Atomic uint64_t quota_charged;
};

/* A call site or a module; the string lies in the metadata region and never moves. */
struct site {
    uint64_t name; /* address */
    uint32_t name_length;
    uint32_t line; /* 0 for a module */
};

/* --- slabs ------------------------------------------------------------------------------------ */

enum slab_kind {
    SLAB_NONE = 0, /* never used, or part of a free run */
    SLAB_OWN,      /* blocks of one account */
    SLAB_MIXED,    /* blocks of many accounts: side array */
    SLAB_SPAN,     /* first slab of a large block; its further slabs stay SLAB_NONE */
    SLAB_SPECIAL,  /* of an area of blocks between guard pages: special.h */
};

/*
 * The remote word: what threads other than the owner do to a slab. Protocol: docs/remote-frees.md, model/.
 *
 *    63            16 15   13 12           0
 *    | pushes, ever  | state | head + 1 / 16-byte offset |
 */
#define REMOTE_HEAD_BITS 13
#define REMOTE_STATE_BITS 3
#define REMOTE_HEAD(w) ((w) & ((1u << REMOTE_HEAD_BITS) - 1))
#define REMOTE_STATE(w) (((w) >> REMOTE_HEAD_BITS) & ((1u << REMOTE_STATE_BITS) - 1))
#define REMOTE_PUSHES(w) ((w) >> (REMOTE_HEAD_BITS + REMOTE_STATE_BITS))

enum remote_state {
    REMOTE_NONE = 0, /* not in service: a push is a misuse */
    REMOTE_OWNED,    /* in a bin of its heap: the owner collects when it runs dry */
    REMOTE_FULL, /* ran dry: the push that brings back an eighth notifies. In no bin, or found by the owner since */
    REMOTE_NOTIFIED, /* on, or about to be put on, its heap's notify list; may not retire */
    REMOTE_ORPHAN,   /* its heap has no thread: the push that empties it retires it */
};

/*
 * What the owner of a slab has freed, and when it looks up: one addition counts a free and is told that its turn has come.
 *   freed   | frees that go by before the one that looks: 16 | frees, ever: 48 |
 * It carries out of the word unless none was left to go by. A count of FREED_MOST, three days of a loop over one block, is taken
 * off allocs and freed at the next look, and put into the account.
 */
#define FREED_SHIFT 48
#define FREED_COUNT(freed) ((freed) & (((uint64_t)1 << FREED_SHIFT) - 1))
#define FREED_STEP (((uint64_t)UINT16_MAX << FREED_SHIFT) + 1)
#define FREED_MOST ((uint64_t)1 << (FREED_SHIFT - 1))
#define FREED_LOOK_MOST 65536u /* frees, the one that looks among them */

/* slab.flags while in service. */
#define SLAB_LINKED 1u  /* in its bin's partial list */
#define SLAB_CURRENT 2u /* its bin's current slab */
#define SLAB_IDLE                                                                                  \
    4u /* found empty and kept for its bin's next need; its pages count in heap.idle_pages */
#define SLAB_AHEAD 8u  /* its pages were not there when it was taken, and come several at a time */
#define SLAB_FIRST 16u /* of its bin, when it was taken */
#define SLAB_SELDOM                                                                                \
    32u /* current, and looked at seldom: it may be empty for a while before that is seen */
#define SLAB_LONELY 64u /* and held hardly a block each time */
#define SLAB_LEADS 128u /* current, and others share its list: share.h */
#define SLAB_SHARES 256u

/*
 * Slab descriptor, two cache lines. The first is what its owner's calls touch; the second is for everybody else's frees
 * and for the slow paths. What all of them ask first is its label's.
 *
 *   live blocks = allocs - FREED_COUNT(freed) - pushes >= 0    (exact with no call in flight; of slabs that share a list
 *                                                               only their sum: share.h)
 *   blocks on `free` + on the remote list + live + not yet carved = capacity
 *   generation is odd while kind, account or class change; it never goes back.
 */
struct slab {
    /* line 0, written by the owner */
    void *free;              /* free blocks, linked through their first word */
    _Atomic uint64_t allocs; /* ever, since taken into service */
    _Atomic uint64_t freed;  /* by the owner; others count in `remote` */
    union {
        uint64_t side; /* mixed: address of uint32_t[SIDE_ENTRIES] */
        uint64_t
            span_bytes; /* span: bytes accounted (whole pages); it holds ceil(span_bytes / SLAB_SIZE) slabs */
        uint64_t area;       /* special: address of its struct special_area */
        uint64_t idle_since; /* free run: when it became idle, ms */
    };
    uint64_t flow_unit;       /* mixed: FLOW_OF(block_size) */
    uint64_t label;           /* address of its label, from its first service on */
    uint32_t sampled;         /* allocs, low half, when they were last counted for special=1/N */
    uint32_t reciprocal;      /* ceil(2^32 / block_size) */
    uint32_t block_size;      /* bytes; for a span its whole size in pages is span_bytes */
    _Atomic uint16_t account; /* 0 for a mixed slab */
    uint8_t size_class;
    _Atomic uint8_t kind;

    /* line 1 */
    RXP_ALIGNED(64) _Atomic uint64_t remote;
    uint64_t
        collected; /* pushes that the owner has taken over; free run: pages not yet given back; span: see span.c */
    _Atomic uint64_t full_mark; /* pushes at which a FULL slab notifies */
    uint32_t notify_next;       /* slab ids, 0 ends a list */
    uint32_t bin_next, bin_prev;
    uint32_t heap_next, heap_prev;
    uint32_t
        run; /* free run: its length and sort, in its first and last descriptor; else 0. Ranges lock */
    _Atomic uint32_t generation;
    uint16_t carved;    /* units of the slab that were carved into blocks */
    uint8_t layout;     /* enum class_layout */
    uint8_t looks;      /* of its owner's while it was current, the first ones */
    uint8_t seldom;     /* of its pages in heap.seldom_pages */
    uint8_t came_dirty; /* pages that were there when it was taken into service */
    uint16_t flags;     /* SLAB_ bits, above */
    uint16_t out; /* sharer: carved blocks that are not on its own list, as of what was collected */
};

/*
 * What a free asks of a slab first, be it the owner's or another thread's. It changes only as a slab comes into service or
 * leaves it, so that its line lies in the caches of all processors, while the first line of a descriptor is the owner's, who
 * writes it with each call: one that also told others whose the slab is would go to and fro with each of their frees.
 */
struct slab_label {
    _Atomic uint32_t
        owner; /* heap id; with OWNER_SLOW set it never equals a thread's id. 0: not in service */
    uint32_t reciprocal; /* ceil(2^32 / block_size) */
    uint16_t unit_mask;  /* 0x0FFF where the page rule holds within pages, else 0xFFFF */
    uint16_t limit;      /* see classes.h */
    uint32_t tag;        /* of the account; 0 of a mixed slab */
    uint64_t slab;       /* address of the descriptor */
    uint64_t
        list; /* own: of that whose list its blocks are put on; another's where slabs share one: share.h */
};

/*
 * A mixed slab's block at `offset` has entry offset * reciprocal / 2^32 = floor(offset / block_size): one of its own,
 * although what pages leave over behind their last blocks makes a few numbers that no block has. A live block's entry is
 * account << 16 | offset, so that one compare tells that an address is the start of a block and that this lives. Of a free one
 * it is SIDE_FREE, which is no block's offset, or 0 but for the first entry, whose offset is 0.
 */
#define SIDE_SHIFT 16
#define SIDE_FREE 1u
#define SIDE_ENTRIES(block_size) (SLAB_SIZE / (block_size) + 1)

#define OWNER_SLOW 0x80000000u
#define OWNER_STRICT 0x40000000u /* mixed, and every free of it goes the slow way */

/* Slab ids: number of the range << 24 | index in it. Slab 0 is the guard, so id 0 is no slab. */
#define SLAB_ID_BITS 24

/* --- heaps ------------------------------------------------------------------------------------ */

enum heap_state { HEAP_FREE = 0, HEAP_TAKEN = 1, HEAP_SEALED = 2 };

/* The part of a heap that readers may look at; heap.h continues it. Heaps are never freed. */
struct heap_public {
    uint64_t next_heap;
    uint32_t id; /* 1.. ; never reused for another heap */
    _Atomic uint32_t state;
    uint64_t counters;              /* address of struct counters[account_capacity] */
    uint64_t flows;                 /* address of struct flow[account_capacity] */
    _Atomic uint32_t counters_high; /* those of ids at or above it were never used */
    /*
     * A flow that is carried into its counters: the account meanwhile, else 0, and how often that was. A reader that
     * finds an account, or another number behind what it has read of either array than before, reads both again.
     */
    _Atomic uint32_t carrying;
    _Atomic uint64_t carries;
};

_Static_assert(sizeof(struct slab) == 128, "a descriptor is two cache lines");
_Static_assert(offsetof(struct slab, remote) == 64, "remote frees have a line of their own");
_Static_assert(sizeof(struct slab_label) == 32, "two labels are a cache line");
_Static_assert(sizeof(struct account) == 80, "");
_Static_assert(sizeof(struct counters) == 32, "");
_Static_assert(sizeof(struct flow) == 16, "");
_Static_assert((FLOW_MOST + LOOK_EACH) * (SLAB_SIZE / 16) < (uint64_t)1 << FLOW_SHIFT,
               "a flow is carried before its bytes reach its blocks");
_Static_assert(sizeof(struct site) == 16, "");
_Static_assert(sizeof(struct root) <= ROOT_SIZE, "");

#endif
