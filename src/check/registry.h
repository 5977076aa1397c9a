/*
 * The registry: what the checked build knows of its blocks, kept out of the blocks, so that it holds
 * however badly they are overwritten, and answers for any pointer without reading what it points to.
 *
 * Two implementations of this file and of quarantine.h; a library holds one:
 *
 *   map/   user mode. A map of the address space leads from an address to its record; what a thread
 *          needs for itself it finds in its own context, so that no call takes a lock.
 *   hash/  a kernel, where the pool's pages are others' too (a map of them would be mostly empty) and
 *          where a call may come at DISPATCH_LEVEL: a hash table in shards, each under a spin lock.
 *
 * States of a record and who moves it:
 *
 *   LIVE --check--> BUSY --> LIVE          somebody reads the block's bytes; a free waits
 *   HELD --sweep--> SWEPT --> HELD         the same of a freed one: it does not leave its queue meanwhile
 *   LIVE --free--> FILLING --> HELD --evict--> GHOST      HELD is in the quarantine's queue
 *   LIVE --free, too large to hold--> GHOST
 *   FILLING, HELD, SWEPT --damage under on_error=log--> SET_ASIDE   never reused
 *   HELD, SWEPT --its address is handed out again--> DEAD        still queued, known to nobody
 *   GHOST, DEAD --> reused for another block
 *
 * No function here calls the pool, touches a block or gives a report out.
 */
#ifndef RXPOOL_CHECK_REGISTRY_H
#define RXPOOL_CHECK_REGISTRY_H

#include "base/base.h"

enum record_state {
    RECORD_NONE = 0,
    RECORD_LIVE,
    RECORD_BUSY,
    RECORD_FILLING,
    RECORD_HELD,
    RECORD_GHOST,
    RECORD_SET_ASIDE,
    RECORD_DEAD,
    RECORD_SWEPT,
};

/* What found a block whole; of these a record keeps the latest, and its time. */
enum registry_sight {
    SEEN_AT_ALLOCATION,
    SEEN_AT_RESIZE,
    SEEN_AT_FREE,
    SEEN_BY_CHECK, /* RxCheckMemoryBlock */
    SEEN_BY_CHECK_ALL,
    SEEN_BY_SWEEP,
    SEEN_DAMAGED, /* it did not: damage was reported, and the program told to go on */
    SEEN_NOT,     /* it was not looked at after all */
};

/* How a record keeps a sight and the time of it: the latter in steps of 8 ms, so that it wraps with a record's times. */
#define RECORD_SEEN(sight, ms) (((uint32_t)(ms) & ~7u) | (uint32_t)(sight))
#define RECORD_SEEN_SIGHT(seen) ((enum registry_sight)((seen)&7u))
#define RECORD_SEEN_MS(seen) ((seen) & ~7u)

enum record_kind {
    RECORD_POOL,    /* with header and guards */
    RECORD_OTHERS,  /* a plain block, freed by another component */
    RECORD_SIGNED,  /* header and guard in memory that is not the pool's */
    RECORD_GUARDED, /* as POOL, on pages of its own between guard pages */
    RECORD_PLAIN,   /* a plain block of ours, where something below has guards of its own */
};

/*
 * What is known of a block; copied out of the registry for use without a lock. What the allocation
 * says comes first, what changes later last: the copies are made 8 or 16 bytes at a time, and a copy
 * that has to wait for a fresh store of part of them costs as much as a lock.
 */
struct record_info {
    uint64_t block; /* the caller's pointer */
    uint64_t size;  /* bytes that the caller asked for */
    uint32_t tag;
    uint32_t back; /* bytes from the block back to what the pool handed out */
    uint16_t type; /* POOL_TYPE with modifiers */
    uint16_t tail; /* guard bytes behind the block */
    uint8_t kind;
    uint8_t state;
    uint8_t family;      /* 0, or which routines a heap's block belongs to */
    bool plain;          /* its bytes are of the simplest kind: block_words.h */
    uint32_t alloc_site; /* sites.h */
    uint32_t thread;
    uint32_t time;     /* of the allocation: plat_clock_ms, low 32 bits */
    uint32_t sequence; /* of the allocation; counts in steps, wraps */
    union {
        uint32_t mark;      /* LIVE or BUSY: the latest mark before the allocation, 0 for none */
        uint32_t free_site; /* later */
    };
    uint32_t free_thread;
};

/* Blocks of kind OTHERS and any others that have no header start at least so many bytes apart. */
#define REGISTRY_GRANULE 32u

/* Registers its fork handlers, at the first call; registry_ready does so at the latest. */
void registry_watch_forks(void);
/* Makes the registry ready; false when there is no memory for it. Called before every first use. */
bool registry_ready(void);
/*
 * Enters a block under info->block, as LIVE; thread, sequence and mark are the registry's to fill in.
 * False when there is no memory for a record.
 */
bool registry_insert(const struct record_info *info);
/* Copies what is known of exactly this address; false when nothing is. */
bool registry_find(uint64_t block, struct record_info *out);
/* The size of the live block at exactly this address; 0 for anything else. */
uint64_t registry_size(uint64_t block);
/* Whether a block of kind POOL that has not gone back to the pool is at exactly this address. */
bool registry_is_taken(uint64_t block);
/*
 * Pins a live block, so that its bytes may be read: LIVE to BUSY; waits while another thread has it.
 * False when the address is not that of a live block (*out tells what it is; state NONE: unknown).
 */
bool registry_pin(uint64_t block, struct record_info *out);
/* Ends the pin; the block's state becomes `state` (LIVE, or SET_ASIDE). */
void registry_unpin(uint64_t block, enum record_state state);
/* Ends the pin; the block has info's size and tail from now on. */
void registry_resize(const struct record_info *info);
/* Forgets a record that is LIVE and not of kind POOL: it becomes a ghost. */
void registry_forget(uint64_t block, uint32_t free_site);
/*
 * Forgets what was known of an address that was handed out again and could not be entered: what an older
 * block left there would speak for it.
 */
void registry_vacate(uint64_t block);
/*
 * Walks all records: calls visit(argument, info) for a copy of each whose state is LIVE; nothing is
 * locked during the call. Blocks that come and go meanwhile may be seen or not.
 */
void registry_each_live(void (*visit)(void *argument, const struct record_info *info),
                        void *argument);
/*
 * For a search, which stops the other threads: calls visit for a copy of each record that stands for
 * memory (every state but NONE, GHOST and DEAD). registry_at answers what a record is now, by its id;
 * a thread that could not be stopped may have made another block's of it.
 */
void registry_each_record(void (*visit)(void *argument, uint32_t id,
                                        const struct record_info *info),
                          void *argument);
void registry_at(uint32_t id, struct record_info *out);
/*
 * Sets a mark and answers its number, from 1 up. A block whose allocation begins after this returns has it, or
 * a later one; a block whose allocation ended before this was called has an earlier one. The last of
 * 2^32 - 1 marks is answered again and again.
 */
uint32_t registry_mark(void);
/* Notes of a pinned block what it was found to be now; a block whose damage was reported stays that. */
void registry_saw(uint64_t block, enum registry_sight sight);
/*
 * What found the block of `info`, which is not its pool's again, whole, and when: plat_clock_ms, low
 * 32 bits, up to 8 ms too early; a free may have been any time later, since it asks no clock.
 */
enum registry_sight registry_seen(const struct record_info *info, uint32_t *time);
/*
 * A walk round all blocks that goes on for ever: *hand is 0 at first, and the walk's own. Pins the next
 * live block within a short stretch of records, else, where the implementation can, a held one of these:
 * out->state says which. Blocks that others have pinned, and those of which damage was reported, are
 * passed over. Answers a number for registry_release, which ends the pin; 0 when there is none.
 */
uint32_t registry_next(uint64_t *hand, struct record_info *out);
/* With what the check found. SEEN_DAMAGED: a held block is set aside; else it is what it was. */
void registry_release(uint32_t id, const struct record_info *info, enum registry_sight sight);
/* Counts a call; true for every so many of them, of a thread or of all. */
bool registry_counts(uint64_t every);
/* Bytes that the registry occupies: records ever used and what leads to them. */
uint64_t registry_bytes(void);

#endif
