/*
 * A program that does everything wrong, under on_error=log: bytes of headers, guards, freed blocks and the
 * pool's own list are overwritten, also by another thread, and what is no block is freed. The checker goes
 * on, hands out nothing that is in use or damaged, and reports each damage, once where it can be but once.
 */
#include "fuzz.h"

#include <pthread.h>
#include <string.h>

#include "base/base.h"
#include "check/check.h"
#include "check/heap.h"
#include "check/inside.h"
#include "check/registry.h"

#define ENTRIES 40
#define DAMAGES 6 /* places of one block */
#define SIZE_MOST 20000u
#define STEPS_MOST 400
#define STORM 4

enum kind { RX, HEAP, SIGNED };
enum state { NONE, LIVE, FREED };

struct entry {
    enum state state;
    enum kind kind;
    unsigned char *block;
    uint32_t size, back, tail;
    uint32_t sequence; /* of its record */
    int32_t damage[DAMAGES];
    unsigned damages;
};

static struct entry entries[ENTRIES];
static _Alignas(16) unsigned char elsewhere[ENTRIES][512];
static unsigned other; /* stops that must have come, but for late writes and what the sweep says */
static unsigned late;  /* reports of late writes that must come by the end */
static unsigned damaged;   /* live blocks damaged: the sweep may report each once */
static bool list_attacked; /* ever: what was written may be come by in a later input */
static const struct caller here = {.routine = "fuzz", .file = __FILE__, .line = 1};
static int global;

/* --- what is known --------------------------------------------------------------------------- */

static bool recorded(const struct entry *e, struct record_info *out) {
    return registry_find((uintptr_t)e->block, out) && out->sequence == e->sequence;
}

static enum record_state state_of(const struct entry *e) {
    struct record_info info;
    return recorded(e, &info) ? (enum record_state)info.state : RECORD_NONE;
}

/* Whether the entry's memory is not the pool's: live, waiting, or set aside. */
static bool occupies(const struct entry *e) {
    if (e->state == LIVE)
        return true;
    if (e->state == NONE || e->kind == SIGNED)
        return false;
    enum record_state s = state_of(e);
    return s == RECORD_HELD || s == RECORD_SET_ASIDE;
}

static bool overlap(const struct entry *a, const struct entry *b) {
    return a->block - a->back < b->block + b->size + b->tail &&
           b->block - b->back < a->block + a->size + a->tail;
}

static bool free_for_others(const struct entry *e) {
    for (const struct entry *o = entries; o < entries + ENTRIES; o++)
        if (o != e && occupies(o) && overlap(o, e))
            return false;
    return true;
}

/* --- life ------------------------------------------------------------------------------------ */

static bool is_zero(const unsigned char *p, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (p[i] != 0)
            return false;
    return true;
}

static void enter(struct entry *e, enum kind kind, void *block, uint32_t size) {
    struct record_info info;
    MUST(block != NULL);
    MUST(registry_find((uintptr_t)block, &info));
    *e = (struct entry){LIVE, kind, block, size, info.back, info.tail, info.sequence, {0}, 0};
    MUST(free_for_others(e));
    memset(block, 'a', size);
}

static void allocate(struct input *in, struct entry *e) {
    unsigned how = take_byte(in);
    uint32_t size = take_size(in, SIZE_MOST);
    if (how < 160) {
        uint32_t type = take_type(in);
        void *p = RxAllocatePoolWithTag(type, size, how & 1 ? 'aZuF' : 'bZuF');
        MUST((type & POOL_ZERO_ALLOCATION) == 0 || is_zero(p, size));
        enter(e, RX, p, size);
    } else if (how < 240) {
        unsigned flags = how & 2 ? HEAP_ZERO : 0;
        void *p = check_heap_allocate(size, how & 1 ? 64 : 0, flags, HEAP_MALLOC, &here);
        MUST(flags == 0 || is_zero(p, size));
        enter(e, HEAP, p, size);
    } else {
        size = size % 256 + 1;
        enter(e, SIGNED,
              RxSignMemoryBlock(elsewhere[e - entries], size + RX_POOL_SIGNED_OVERHEAD,
                                NonPagedPoolNx, 'cZuF'),
              size);
    }
}

static void release(struct entry *e) {
    other += e->damages != 0;
    if (e->kind == RX)
        RxFreePool(e->block);
    else if (e->kind == HEAP)
        check_heap_free(e->block, HEAP_MALLOC, &here);
    else
        RxUnsignMemoryBlock(e->block);
    e->state = e->kind == SIGNED ? NONE : FREED;
    MUST(state_of(e) != RECORD_LIVE);
    if (e->damages != 0 && e->kind != SIGNED)
        MUST_EQUAL(state_of(e), RECORD_SET_ASIDE);
    e->damages = 0;
}

static void *release_thread(void *argument) {
    release(argument);
    return NULL;
}

static void release_elsewhere(struct entry *e) {
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, release_thread, e) == 0);
    pthread_join(thread, NULL);
}

static void resize(struct input *in, struct entry *e) {
    struct entry old = *e;
    uint32_t size = take_size(in, SIZE_MOST);
    void *p = check_heap_resize(e->block, size, HEAP_MALLOC, &here);
    other += e->damages != 0;
    enter(e, HEAP, p, size);
    MUST(p != old.block);
    if (old.damages == 0)
        return;
    /* Set aside; nobody but this entry would give its memory back. */
    for (struct entry *o = entries; o < entries + ENTRIES; o++) {
        if (o->state == NONE) {
            *o = old;
            o->state = FREED;
            o->damages = 0;
            return;
        }
    }
}

/* --- damage ---------------------------------------------------------------------------------- */

/* A byte that was not damaged yet, so that two damages do not make a whole. */
static bool overwrite(struct entry *e, int32_t offset, unsigned with) {
    for (unsigned i = 0; i < e->damages; i++)
        if (e->damage[i] == offset)
            return false;
    if (e->damages == DAMAGES)
        return false;
    e->damage[e->damages++] = offset;
    e->block[offset] ^= (unsigned char)(with == 0 ? 1 : with);
    return true;
}

/* Where a byte of the checker's lies: in the header, the guard behind, or what lies in front. */
static int32_t guarded(struct input *in, const struct entry *e) {
    unsigned where = take_byte(in);
    uint32_t header = e->back < 32 ? e->back : 32;
    if (where < 96)
        return -1 - (int32_t)(where % header);
    if (where < 192 || e->back == header)
        return (int32_t)(e->size + where % e->tail);
    return (int32_t)(take_word(in) % (e->back - header)) - (int32_t)e->back;
}

static void damage_live(struct input *in, struct entry *e) {
    for (unsigned n = 1 + take_below(in, 3); n > 0; n--) {
        unsigned before = e->damages;
        int32_t at = guarded(in, e);
        overwrite(e, at, take_byte(in));
        damaged += before == 0 && e->damages != 0;
    }
}

/* In the quarantine every byte is the checker's. */
static void damage_held(struct input *in, struct entry *e) {
    int32_t at = (int32_t)(take_word(in) % (e->back + e->size + e->tail)) - (int32_t)e->back;
    late += e->damages == 0;
    overwrite(e, at, take_byte(in));
}

/* Whether nothing that the registry knows lies where the block was: entries do not know of all there is. */
static bool nothing_is_there(const struct entry *e) {
    struct record_info info;
    return free_for_others(e) && !check_find_around((uintptr_t)e->block - e->back, &info);
}

/* The pool has it back, and links its free blocks through its first bytes. */
static void damage_list(struct input *in, struct entry *e) {
    list_attacked = true;
    e->block[-(int32_t)e->back + (int32_t)take_below(in, 8)] ^= (unsigned char)take_byte(in);
}

static void damage_freed(struct input *in, struct entry *e) {
    if (state_of(e) == RECORD_HELD)
        damage_held(in, e);
    else if (state_of(e) == RECORD_GHOST && nothing_is_there(e))
        damage_list(in, e);
}

/* --- what is no block ------------------------------------------------------------------------ */

static bool is_a_start(uintptr_t p) {
    for (const struct entry *e = entries; e < entries + ENTRIES; e++)
        if (e->state != NONE && (p == (uintptr_t)e->block || p == (uintptr_t)e->block - e->back))
            return true;
    return false;
}

static void *no_block(struct input *in, const struct entry *e) {
    unsigned how = take_byte(in);
    switch (how % 6) {
    case 0:
        return (void *)(uintptr_t)take_word(in);
    case 1:
        return in; /* on the stack */
    case 2:
        return &global;
    case 3:
        return (void *)(uintptr_t)no_block;
    case 4:
        return (char *)(uintptr_t)((uintptr_t)registry_find + take_byte(in));
    default:
        return e->state != NONE ? e->block + take_byte(in) - 64 : NULL;
    }
}

/* Wherever it points: a report, and nothing is done. */
static void free_no_block(struct input *in, const struct entry *e) {
    void *p = no_block(in, e);
    struct record_info info;
    unsigned stops = said.stops - said.by_sweep - said.late_writes;
    /* The memory of a freed block is the pool's, and it takes what is given to it by its own routine. */
    if (is_a_start((uintptr_t)p) || registry_find((uintptr_t)p, &info) ||
        registry_find((uintptr_t)p + 16, &info) || registry_find((uintptr_t)p + 32, &info) ||
        registry_find((uintptr_t)p + 64, &info))
        return;
    if (take_byte(in) & 1 && p != NULL)
        check_heap_free(p, HEAP_MALLOC, &here);
    else
        RxFreePool(p);
    MUST_EQUAL(said.stops - said.by_sweep - said.late_writes - stops, 1);
    other++;
}

static void free_again(struct entry *e) {
    enum record_state state = state_of(e);
    if (state != RECORD_HELD && state != RECORD_GHOST && state != RECORD_SET_ASIDE)
        return;
    unsigned stops = said.stops - said.by_sweep - said.late_writes;
    if (e->kind == HEAP)
        check_heap_free(e->block, HEAP_MALLOC, &here);
    else
        RxFreePool(e->block);
    MUST_EQUAL(said.stops - said.by_sweep - said.late_writes - stops, 1);
    other++;
}

static void check_one(struct input *in, const struct entry *e) {
    unsigned off = take_byte(in);
    bool whole = e->state == LIVE && e->damages == 0 && off == 0;
    if (e->state == FREED && (registry_is_taken((uintptr_t)e->block + off) || !free_for_others(e)))
        return; /* another's by now */
    struct record_info info;
    if (off != 0 && registry_find((uintptr_t)e->block + off, &info))
        return; /* another block begins there */
    MUST_EQUAL(RxCheckMemoryBlock(e->block + off), whole);
}

static void check_all(void) {
    size_t bad = 0;
    for (const struct entry *e = entries; e < entries + ENTRIES; e++)
        bad += e->state == LIVE && e->damages != 0;
    MUST_EQUAL(RxCheckAllMemoryBlocks(), bad);
}

/* --- two threads ----------------------------------------------------------------------------- */

struct storm {
    struct entry *victim[STORM];
    unsigned count, spins;
};

/*
 * The first guard byte of a word that has guard bytes only. A free fills the block by words: of its last
 * one, which may have guard bytes too, it could write back what another thread has just changed.
 */
static uint32_t storm_at(const struct entry *e) {
    return (e->size + 7) / 8 * 8;
}

static void *storm_writer(void *argument) {
    const struct storm *storm = argument;
    for (unsigned i = 0; i < storm->count; i++) {
        for (volatile unsigned spin = 0; spin < storm->spins; spin++)
            ;
        *(volatile unsigned char *)(storm->victim[i]->block + storm_at(storm->victim[i])) ^= 1;
    }
    return NULL;
}

/* Guard bytes are overwritten before, while or after the blocks are freed: one report for each. */
static void storm(struct input *in) {
    struct storm s = {.spins = take_byte(in) * 32u};
    for (struct entry *e = entries; e < entries + ENTRIES && s.count < STORM; e++)
        if (e->state == LIVE && e->damages == 0 && e->kind != SIGNED && e->size <= 1000 &&
            storm_at(e) < e->size + e->tail)
            s.victim[s.count++] = e;
    check_drain(true, &here);
    unsigned lates = said.late_writes, others = said.stops - said.by_sweep - lates - said.lists;
    unsigned noise = take_byte(in);
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, storm_writer, &s) == 0);
    for (unsigned i = 0; i < s.count; i++) {
        for (unsigned n = noise % 8; n > 0; n--)
            RxFreePool(RxAllocatePoolWithTag(NonPagedPoolNx, 100, 'dZuF'));
        release(s.victim[i]);
    }
    pthread_join(thread, NULL);
    damaged += s.count;
    check_drain(true, &here);
    lates = said.late_writes - lates;
    others = said.stops - said.by_sweep - said.late_writes - said.lists - others;
    MUST_EQUAL(lates + others, s.count);
    late += lates;
    other += others;
}

/* --- the whole ------------------------------------------------------------------------------- */

static void step_live(struct input *in, struct entry *e, unsigned what) {
    switch (what % 8) {
    case 0:
    case 1:
        damage_live(in, e);
        break;
    case 2:
        check_one(in, e);
        break;
    case 3:
        release_elsewhere(e);
        break;
    case 4:
        if (e->kind == HEAP) {
            resize(in, e);
            break;
        }
        release(e);
        break;
    case 5:
        free_no_block(in, e);
        break;
    default:
        release(e);
    }
}

static void step_freed(struct input *in, struct entry *e, unsigned what) {
    switch (what % 8) {
    case 0:
    case 1:
    case 2:
        damage_freed(in, e);
        break;
    case 3:
        free_again(e);
        break;
    case 4:
        check_one(in, e);
        break;
    case 5:
        free_no_block(in, e);
        break;
    default:
        if (!occupies(e))
            allocate(in, e);
    }
}

static void step(struct input *in) {
    unsigned what = take_byte(in);
    struct entry *e = &entries[take_below(in, ENTRIES)];
    if (what >= 250)
        storm(in);
    else if (what >= 244)
        check_all();
    else if (what >= 240)
        check_drain(what & 1, &here);
    else if (e->state == LIVE)
        step_live(in, e, what);
    else if (e->state == FREED)
        step_freed(in, e, what);
    else
        allocate(in, e);
}

/* Nobody reuses what was set aside: the process would grow from input to input. */
static void give_back(struct entry *e) {
    if (e->state == FREED && state_of(e) == RECORD_SET_ASIDE) {
        unsigned char *start = e->block - e->back;
        memset(start, 0, e->back);
        ExFreePool(start);
    }
    e->state = NONE;
    e->damages = 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    fuzz_options("on_error=log:strict=foreign:sweep=2:quarantine=1M");
    fuzz_heap_start();
    return 0;
}

/* So far: a late write may still have to be found. */
static void compare(void) {
    MUST(said.late_writes <= late);
    MUST(said.by_sweep <= damaged);
    MUST(list_attacked || said.lists == 0);
    MUST_EQUAL(said.stops - said.late_writes - said.by_sweep - said.lists, other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, data + size};
    fuzz_forget();
    other = late = damaged = 0;
    for (unsigned i = 0; i < STEPS_MOST && in.at < in.end; i++) {
        step(&in);
        compare();
    }
    for (struct entry *e = entries; e < entries + ENTRIES; e++)
        if (e->state == LIVE)
            release(e);
    check_drain(true, &here);
    compare();
    MUST_EQUAL(said.late_writes, late);
    MUST_EQUAL(said.notes, 0);
    for (struct entry *e = entries; e < entries + ENTRIES; e++)
        give_back(e);
    MUST_EQUAL(RxCheckAllMemoryBlocks(), 0);
    return 0;
}
