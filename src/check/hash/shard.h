/*
 * The registry and the quarantine where there are no contexts: a hash table in shards.
 *
 *   address --hash of its 64 KiB region--> shard --hash of the address--> bucket -> record -> record
 *
 * Sharding by region: a pool gives a processor regions of its own, so a thread mostly meets its own
 * shards. A shard's buckets grow one at a time (linear hashing): no pause, no copy. They lie in
 * segments, each as large as all before it, so they take 4 to 8 bytes a record.
 *
 *   record number: page << 6 | slot
 *   part[page >> 9] -> pages -> | shard, next page of the shard | record | record | ... |
 *
 * Records lie in pages of 4 KiB that belong to one shard each and are never given back before the
 * end; a record is named by number, and a list of them is numbers. Each shard keeps its share of the
 * quarantine, under the lock that a free takes anyway.
 *
 * Memory: 73 bytes a record with its page's share, 4 to 8 of buckets; and a page for each shard in use.
 *
 * Locks: a shard's lock, then registry.lock, which is a leaf. No memory is asked for, a block never
 * touched and nothing reported while one is held (paged memory must not be touched under a spin lock). None is
 * held for longer than a bucket's records, or SHARD_STEPS of a walk.
 *
 * Pins: a free waits for whoever reads the block's bytes. On the processor of the reader it could wait
 * for ever, so a nonpaged block is read at DISPATCH_LEVEL: registry_pin raises, registry_unpin lowers. A
 * paged one is read where a free of it may come from at most: at APC_LEVEL or below. For a block in the quarantine nobody
 * waits: it is not let out while the sweep reads it (SWEPT), at whatever IRQL.
 */
#ifndef RXPOOL_CHECK_HASH_SHARD_H
#define RXPOOL_CHECK_HASH_SHARD_H

#include "check/registry.h"
#include "plat/plat.h"

#define REGISTRY_SHARDS 32u
#define BUCKETS_FIRST 64u
#define SHARD_STEPS 16u     /* records looked at by a walk before it lets go of the lock */
#define BUCKET_SEGMENTS 20u /* beyond the first buckets; as many as records can be */

struct record {
    struct record_info info;
    uint32_t next; /* in its bucket, or among the unused records */
    union {
        uint32_t queue_next; /* in the quarantine's queue */
        uint32_t irql;       /* BUSY: the IRQL to go back to at the end of the pin */
    };
    uint32_t seen; /* RECORD_SEEN; 0: at its allocation */
};

struct queue {
    uint32_t head, tail;
    uint64_t bytes;
};

/* All zero is an empty shard. */
struct shard {
    struct plat_lock lock;
    uint32_t bucket_count;     /* 0 before the first record, then BUCKETS_FIRST and more */
    uint32_t high_mask;        /* N <= bucket_count < 2N = high_mask + 1, N a power of two */
    uint32_t entries;          /* records in buckets */
    uint32_t unused;           /* list of records */
    uint32_t carve, carve_end; /* records of its newest page that were never used */
    uint32_t first_page;       /* list of its pages; 0 none */
    uint32_t ghosts, hand;     /* the hand looks for ghosts to reuse */
    uint32_t first[BUCKETS_FIRST];
    uint32_t *segment[BUCKET_SEGMENTS]; /* [n] holds BUCKETS_FIRST << n buckets */
    struct queue held[2];               /* nonpaged, paged */
};

struct shard *shard_of(uint64_t block);
struct shard *shard_at(unsigned index);
struct record *shard_record(uint32_t number);
/* The number of the record for this address, 0 for none. The shard's lock is held. */
uint32_t shard_lookup(struct shard *s, uint64_t block);
/* Puts a DEAD record, taken off the queue, among the unused. The shard's lock is held. */
void shard_recycle(struct shard *s, uint32_t number);
/* Gives all memory back: what was recorded is forgotten. Nobody else calls meanwhile. */
void shard_close(void);

#endif
