/*
 * The registry: what the checked build knows of its blocks, kept out of the blocks, so that it holds
 * however badly they are overwritten, and answers for any pointer without reading what it points to.
 *
 *   address --hash of its 64 KiB region--> shard --hash of the address--> bucket -> record -> record
 *
 * Sharding by region: the pool gives a thread regions of its own, so a thread mostly meets its own
 * shards. A shard's buckets grow one at a time (linear hashing): no pause, no copy, and 4 bytes a
 * record. Records are 64 bytes, in one reserved run of memory for each shard, named by index.
 *
 * States of a record and who moves it (always under the shard's lock):
 *
 *   LIVE --check_verify--> BUSY --> LIVE          somebody reads the block's bytes; a free waits
 *   LIVE --free--> HELD --evict--> GHOST          HELD is in the quarantine's queue
 *   LIVE --free, too large to hold--> GHOST
 *   LIVE, HELD --damage under on_error=log--> SET_ASIDE   never reused
 *   HELD --its address is handed out again--> DEAD        still queued, known to nobody
 *   GHOST, DEAD --> reused for another block
 *
 * Locks: a shard's lock is a leaf. The pool is never called, a block never touched and nothing
 * reported while one is held (paged memory must not be touched under a spin lock).
 */
#ifndef RXPOOL_CHECK_REGISTRY_H
#define RXPOOL_CHECK_REGISTRY_H

#include "base/base.h"
#include "check/spin.h"
#include "plat/plat.h"

#define REGISTRY_SHARDS 64u

enum record_state {
    RECORD_NONE = 0,
    RECORD_LIVE,
    RECORD_BUSY,
    RECORD_HELD,
    RECORD_GHOST,
    RECORD_SET_ASIDE,
    RECORD_DEAD,
};

enum record_kind {
    RECORD_POOL,   /* with header and guards */
    RECORD_OTHERS, /* a plain block, freed by another component */
    RECORD_SIGNED, /* header and guard in memory that is not the pool's */
};

/*
 * What is known of a block; copied out of the registry for use without a lock. What the allocation
 * says comes first, what changes later last: the copies are made 16 bytes at a time, and a copy that
 * has to wait for a fresh store of part of them costs as much as a lock.
 */
struct record_info {
    uint64_t block; /* the caller's pointer */
    uint32_t size;  /* bytes that the caller asked for */
    uint32_t tag;
    uint16_t type; /* POOL_TYPE with modifiers */
    uint16_t back; /* bytes from the block back to what the pool handed out */
    uint16_t tail; /* guard bytes behind the block */
    uint8_t kind;
    uint8_t state;
    uint32_t alloc_site; /* sites.h */
    uint32_t thread;
    uint32_t time;     /* of the allocation: plat_clock_ms, low 32 bits */
    uint32_t sequence; /* of the allocation; counts in steps shared by the shards, wraps */
    uint32_t free_site, free_thread;
};

struct record {
    struct record_info info;
    uint32_t next;          /* in its bucket, or among the unused records */
    uint32_t queue_next;    /* in the quarantine's queue */
    _Atomic uint8_t filled; /* HELD: the freeing thread is done with the bytes */
    uint8_t generation;     /* HELD or BUSY: registry_generation() when it became so */
};

struct queue {
    uint32_t head, tail;
    uint64_t bytes;
};

struct shard {
    RXP_ALIGNED(64) struct spin lock;
    uint32_t bucket_count, high_mask; /* N <= bucket_count < 2N = high_mask + 1, N a power of two */
    uint32_t entries;                 /* records in buckets */
    uint32_t unused;                  /* list of records */
    uint32_t carved;                  /* records at or above it were never used; 0 is no record */
    uint32_t ghosts, hand;            /* the hand looks for ghosts to reuse */
    uint32_t sequence, sequence_end;
    uint32_t record_limit, bucket_limit; /* committed */
    uint32_t *buckets;
    struct record *records;
    struct queue held[2]; /* nonpaged, paged */
};

_Static_assert(sizeof(struct record) == 64, "a record is one cache line");

/* Makes the registry ready; false when there is no memory for it. Called before every first use. */
bool registry_ready(void);
/* Enters a block under info->block, as LIVE and with a sequence number. False when there is no memory for a record. */
bool registry_insert(const struct record_info *info);
/* Copies what is known of exactly this address; false when nothing is. */
bool registry_find(uint64_t block, struct record_info *out);
/*
 * Pins a live block, so that its bytes may be read: LIVE to BUSY; waits while another thread has it.
 * False when the address is not that of a live block (*out tells what it is; state NONE: unknown).
 */
bool registry_pin(uint64_t block, struct record_info *out);
/* Ends the pin; the block's state becomes `state` (LIVE, or SET_ASIDE). */
void registry_unpin(uint64_t block, enum record_state state);
/* Forgets a record that is LIVE and not of kind POOL: it becomes a ghost. */
void registry_forget(uint64_t block, uint32_t free_site);
/*
 * Walks all records: calls visit(argument, info) for a copy of each whose state is LIVE, one shard's
 * lock at a time, not held during the call. Blocks that come and go meanwhile may be seen or not.
 */
void registry_each_live(void (*visit)(void *argument, const struct record_info *info),
                        void *argument);
/* Bytes that the registry occupies: records ever used and buckets. */
uint64_t registry_bytes(void);

/*
 * How often this process has come out of a fork, modulo 256. What a thread was doing to a record in
 * an older generation, it was doing in the parent: here it will never be done.
 */
uint8_t registry_generation(void);

/* For quarantine.c. */
struct shard *registry_shard(uint64_t block);
struct shard *registry_shard_at(unsigned index);
struct record *registry_record(struct shard *s, uint32_t index);
/* The index of the record for this address, 0 for none. The shard's lock is held. */
uint32_t registry_lookup(struct shard *s, uint64_t block);
/* The record, LIVE again where a thread of the parent process had pinned it. The shard's lock is held. */
struct record *registry_settled(struct record *r);
/* Puts a DEAD record, taken off the queue, among the unused. The shard's lock is held. */
void registry_recycle(struct shard *s, uint32_t index);

#endif
