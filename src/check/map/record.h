/*
 * A record: what registry.h's record_info says, as seven words, and two halves of the map's own. A cache line.
 *
 * Who writes it: whoever moved its state out of LIVE, GHOST or nothing (by compare-and-swap where more
 * than one thread may try), and the thread that the pool has just given the address to. Everybody may
 * read it at any time, so the words are atomic, each stored with release and loaded with acquire:
 *
 *   writer   state not LIVE;      then the other words;  then state = LIVE
 *   reader   state and sequence;  then the other words;  then state and sequence are the same again
 *
 * A reader that has seen a word of the next block sees that the state was not LIVE before it.
 */
#ifndef RXPOOL_CHECK_MAP_RECORD_H
#define RXPOOL_CHECK_MAP_RECORD_H

#include <stdatomic.h>

#include "check/registry.h"
#include "plat/exchange.h"

enum record_word {
    RECORD_BLOCK,
    RECORD_SIZE,
    RECORD_TAG,
    RECORD_STATE,
    RECORD_ALLOC,
    RECORD_WHEN,
    RECORD_FREE,
    RECORD_WORDS
};

struct record {
    RXP_ALIGNED(64) _Atomic uint64_t word[RECORD_WORDS];
    _Atomic uint32_t next; /* in a queue or list */
    _Atomic uint32_t seen; /* RECORD_SEEN: written by whoever has found the block whole */
};

/* The words, named. */
union record_view {
    struct record_info info;
    uint64_t word[RECORD_WORDS];
};

_Static_assert(sizeof(struct record) == 64, "a record is one cache line");
_Static_assert(sizeof(union record_view) == RECORD_WORDS * sizeof(uint64_t) &&
                   offsetof(struct record_info, tag) == RECORD_TAG * 8 &&
                   offsetof(struct record_info, type) == RECORD_STATE * 8 &&
                   offsetof(struct record_info, tail) == RECORD_STATE * 8 + 2 &&
                   offsetof(struct record_info, kind) == RECORD_STATE * 8 + 4 &&
                   offsetof(struct record_info, state) == RECORD_STATE * 8 + 5 &&
                   offsetof(struct record_info, family) == RECORD_STATE * 8 + 6 &&
                   offsetof(struct record_info, plain) == RECORD_STATE * 8 + 7 &&
                   offsetof(struct record_info, alloc_site) == RECORD_ALLOC * 8 &&
                   offsetof(struct record_info, time) == RECORD_WHEN * 8 &&
                   offsetof(struct record_info, free_site) == RECORD_FREE * 8,
               "record_info lies as enum record_word says");

#define RECORD_STATE_SHIFT (8 * (offsetof(struct record_info, state) - RECORD_STATE * 8))

RXP_INLINE uint64_t record_get(const struct record *r, enum record_word w) {
    return atomic_load_explicit(&r->word[w], memory_order_acquire);
}

RXP_INLINE void record_put(struct record *r, enum record_word w, uint64_t value) {
    atomic_store_explicit(&r->word[w], value, memory_order_release);
}

/* The word of two fields, the first one's lower. */
RXP_INLINE uint64_t record_pair(uint32_t first, uint32_t second) {
    return first | (uint64_t)second << 32;
}

/* RECORD_STATE of a block in the state. */
RXP_INLINE uint64_t record_state_word(const struct record_info *info, enum record_state state) {
    uint32_t what = info->kind | (uint32_t)state << 8 | (uint32_t)info->family << 16 |
                    (uint32_t)info->plain << 24;
    return record_pair(info->type | (uint32_t)info->tail << 16, what);
}

/* The state word with another state in it. */
RXP_INLINE uint64_t record_with(uint64_t state_word, enum record_state state) {
    return (state_word & ~((uint64_t)0xFF << RECORD_STATE_SHIFT)) | (uint64_t)state
                                                                        << RECORD_STATE_SHIFT;
}

/* The same, where the state in it is known. */
RXP_INLINE uint64_t record_step(uint64_t state_word, enum record_state from, enum record_state to) {
    return state_word + ((uint64_t)to - (uint64_t)from) * ((uint64_t)1 << RECORD_STATE_SHIFT);
}

RXP_INLINE enum record_state record_state(uint64_t state_word) {
    return (enum record_state)(state_word >> RECORD_STATE_SHIFT & 0xFF);
}

/* All but the state word, which the caller has. */
RXP_INLINE void record_read(const struct record *r, uint64_t state_word, struct record_info *out) {
    union record_view v;
    v.word[RECORD_BLOCK] = record_get(r, RECORD_BLOCK);
    v.word[RECORD_SIZE] = record_get(r, RECORD_SIZE);
    v.word[RECORD_TAG] = record_get(r, RECORD_TAG);
    v.word[RECORD_STATE] = state_word;
    v.word[RECORD_ALLOC] = record_get(r, RECORD_ALLOC);
    v.word[RECORD_WHEN] = record_get(r, RECORD_WHEN);
    v.word[RECORD_FREE] = record_get(r, RECORD_FREE);
    *out = v.info;
}

/* Moves the state on; false, with *state_word as it is now, when another thread moved it first. */
RXP_INLINE bool record_move(struct record *r, uint64_t *state_word, enum record_state to) {
    return atomic_compare_exchange_strong_explicit(&r->word[RECORD_STATE], state_word,
                                                   record_with(*state_word, to),
                                                   memory_order_acq_rel, memory_order_acquire);
}

/* LIVE, as the word says, to FILLING; false when another thread moved it first. */
RXP_INLINE bool record_take(struct record *r, uint64_t state_word) {
    return RXP_LIKELY(plat_exchange(&r->word[RECORD_STATE], state_word,
                                    record_step(state_word, RECORD_LIVE, RECORD_FILLING)));
}

RXP_INLINE void record_set_state(struct record *r, enum record_state to) {
    record_put(r, RECORD_STATE, record_with(record_get(r, RECORD_STATE), to));
}

RXP_INLINE uint32_t record_next(const struct record *r) {
    return atomic_load_explicit(&r->next, memory_order_acquire);
}

RXP_INLINE void record_set_next(struct record *r, uint32_t next) {
    atomic_store_explicit(&r->next, next, memory_order_release);
}

RXP_INLINE void record_set_seen(struct record *r, uint32_t seen) {
    atomic_store_explicit(&r->seen, seen, memory_order_relaxed);
}

/* --- where they are -------------------------------------------------------------------------- */

/* All records, by number; number 0 is none. */
extern RXP_HIDDEN struct record *record_base;

RXP_INLINE struct record *record_at(uint32_t number) {
    return &record_base[number];
}

/* Reserves room for records and for the map. False when refused. */
bool records_start(void);
/* Numbers of fresh records, *first up to the answer; 0 when there is no memory. */
uint32_t records_carve(uint32_t *first);
/* Records below it may be in use. */
uint32_t records_end(void);
void records_fork_lock(void);
void records_fork_unlock(void);

#endif
