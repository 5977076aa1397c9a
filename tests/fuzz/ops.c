/*
 * Sequences of correct operations against a model of them: what is allocated has the promised place and
 * contents, keeps what is written, is told from what is no block, and is counted exactly under its tag.
 * Nothing may be reported but what the model says.
 */
#include "fuzz.h"

#include <pthread.h>
#include <string.h>

#include "base/base.h"
#include "base/options.h"
#include "check/check.h"
#include "check/heap.h"
#include "check/registry.h"
#include "ex/engine.h"
#include "stats.h"

#define SLOTS 32
#define TAGS 4
#define SIZE_MOST (256u << 10)
#define STEPS_MOST 512
#define ALL_BYTES 1024u /* of a larger block its beginning and end are looked at */

enum kind { NONE, EX, RX, OTHERS, SIGNED, HEAP };

struct slot {
    enum kind kind;
    unsigned char *block;
    uint32_t size, type, tag, family;
    unsigned char fill;
    uint32_t since; /* the mark that stood when it was allocated */
};

static const uint32_t tags[TAGS + 1] = {'aZuF', 'bZuF', 'cZuF', 'dZuF', FUZZ_HEAP_TAG};
static struct slot slots[SLOTS];
static uint64_t allocs[TAGS + 1], frees[TAGS + 1]; /* of the process */
static _Alignas(16) unsigned char elsewhere[SLOTS][512];
static uint32_t mark;
static unsigned
    untold; /* blocks for others that they have freed in this input: the registry is not told */
static const struct caller here = {.routine = "fuzz", .file = __FILE__, .line = 1};

static unsigned index_of(uint32_t tag) {
    unsigned i = 0;
    while (tags[i] != tag)
        i++;
    return i;
}

/* --- contents -------------------------------------------------------------------------------- */

static size_t looked_at(const struct slot *s) {
    return s->size <= 2 * ALL_BYTES ? s->size : ALL_BYTES;
}

static bool holds(const unsigned char *p, size_t n, unsigned char value) {
    return n == 0 || (p[0] == value && memcmp(p, p + 1, n - 1) == 0);
}

static void put(struct slot *s, unsigned char value) {
    size_t n = looked_at(s);
    s->fill = value;
    memset(s->block, value, n);
    memset(s->block + s->size - n, value, n);
}

static void look(const struct slot *s) {
    size_t n = looked_at(s);
    MUST(holds(s->block, n, s->fill));
    MUST(holds(s->block + s->size - n, n, s->fill));
}

/* The place of a block of the pool, and that nothing else is there. */
static void look_at_place(const struct slot *s) {
    uintptr_t at = (uintptr_t)s->block;
    if (s->kind != HEAP && s->kind != SIGNED) {
        if (s->size >= 4096)
            MUST_EQUAL(at % 4096, 0);
        else
            MUST_EQUAL(at / 4096, (at + s->size - 1) / 4096);
        if (s->type & 4)
            MUST_EQUAL(at % 64, 0);
    }
    MUST_EQUAL(at % 16, 0);
    for (const struct slot *o = slots; o < slots + SLOTS; o++)
        if (o != s && o->kind != NONE)
            MUST(at + s->size <= (uintptr_t)o->block || (uintptr_t)o->block + o->size <= at);
}

/* --- operations ------------------------------------------------------------------------------ */

static void enter(struct slot *s, enum kind kind, void *block, unsigned char fill) {
    bool zero = (s->type & POOL_ZERO_ALLOCATION) != 0;
    MUST(block != NULL);
    s->kind = kind;
    s->block = block;
    s->since = mark;
    look_at_place(s);
    if (zero) {
        MUST(holds(s->block, s->size, 0));
    } else if (kind == RX && options_get()->fill) {
        MUST(holds(s->block, s->size, 0xC5));
    }
    put(s, fill);
    if (kind != SIGNED)
        allocs[index_of(s->tag)]++;
}

static void allocate(struct input *in, struct slot *s, enum kind kind) {
    void *block;
    s->size = take_size(in, SIZE_MOST);
    s->type = take_type(in);
    s->tag = tags[take_below(in, TAGS)];
    if (kind == EX)
        block = ExAllocatePoolWithTag((POOL_TYPE)s->type, s->size, s->tag);
    else if (kind == RX)
        block = RxAllocatePoolWithTag(s->type, s->size, s->tag);
    else
        block = RxAllocatePoolForOthers(s->type, s->size, s->tag);
    enter(s, kind, block, (unsigned char)take_byte(in));
}

static void allocate_heap(struct input *in, struct slot *s) {
    unsigned flags = take_byte(in);
    s->size = take_size(in, SIZE_MOST);
    s->type = flags & 1 ? POOL_ZERO_ALLOCATION : 0;
    s->tag = FUZZ_HEAP_TAG;
    s->family = HEAP_MALLOC + flags / 2 % 3;
    enter(s, HEAP,
          check_heap_allocate(s->size, flags & 8 ? 64 : 0, flags & 1 ? HEAP_ZERO : 0,
                              (enum heap_family)s->family, &here),
          (unsigned char)take_byte(in));
}

static void sign(struct input *in, struct slot *s) {
    unsigned char *memory = elsewhere[s - slots];
    s->size = 1 + take_byte(in);
    s->type = 0;
    s->tag = tags[0];
    enter(s, SIGNED,
          RxSignMemoryBlock(memory, s->size + RX_POOL_SIGNED_OVERHEAD, NonPagedPoolNx, s->tag),
          (unsigned char)take_byte(in));
}

static void release(struct slot *s, bool with_tag) {
    if (s->kind == NONE)
        return;
    look(s);
    switch (s->kind) {
    case EX:
    case OTHERS: /* a plain block: either routine frees it */
        untold += s->kind == OTHERS && with_tag;
        if (with_tag)
            ExFreePoolWithTag(s->block, s->tag);
        else if (s->kind == OTHERS)
            RxFreePool(s->block);
        else
            ExFreePool(s->block);
        break;
    case RX:
        RxFreePoolWithTag(s->block, with_tag ? s->tag : 0);
        break;
    case SIGNED:
        MUST_EQUAL(RxUnsignMemoryBlock(s->block), elsewhere[s - slots]);
        break;
    case HEAP:
        check_heap_free(s->block, (enum heap_family)s->family, &here);
        break;
    case NONE:
        break;
    }
    if (s->kind != SIGNED)
        frees[index_of(s->tag)]++;
    s->kind = NONE;
}

static void *release_all(void *with_tag) {
    for (struct slot *s = slots; s < slots + SLOTS; s++)
        if (s->kind != NONE && s->kind != SIGNED)
            release(s, with_tag != NULL);
    return NULL;
}

static void release_elsewhere(bool with_tag) {
    pthread_t thread;
    static int yes;
    MUST(pthread_create(&thread, NULL, release_all, with_tag ? &yes : NULL) == 0);
    pthread_join(thread, NULL);
}

static void resize(struct input *in, struct slot *s) {
    uint32_t size = take_size(in, SIZE_MOST), kept = size < s->size ? size : s->size;
    unsigned char *old = s->block, fill = s->fill;
    look(s);
    unsigned char *p = check_heap_resize(s->block, size, (enum heap_family)s->family, &here);
    MUST(p != NULL);
    MUST_EQUAL(check_heap_size(p), size);
    size_t n = kept < looked_at(s) ? kept : looked_at(s);
    MUST(holds(p, n, fill));
    if (p != old) {
        allocs[TAGS]++;
        frees[TAGS]++;
        MUST_EQUAL(check_heap_size(old), 0);
    }
    s->block = p;
    s->size = size;
    s->since = p != old ? mark : s->since;
    look_at_place(s);
    put(s, fill);
}

/* --- questions ------------------------------------------------------------------------------- */

static void check_one(struct input *in, const struct slot *s) {
    unsigned warned = said.warnings;
    size_t off = take_byte(in);
    bool whole = RxCheckMemoryBlock(s->block);
    bool known = s->kind == RX || s->kind == HEAP || s->kind == SIGNED;
    MUST_EQUAL(whole, known);
    MUST_EQUAL(said.warnings - warned, !known);
    off = off < s->size ? off : s->size - 1;
    if (off == 0)
        return;
    MUST(!RxCheckMemoryBlock(s->block + off));
    MUST_EQUAL(said.warnings - warned, !known + 1u);
}

static void check_anything(struct input *in) {
    unsigned warned = said.warnings;
    void *p = (void *)(uintptr_t)take_word(in);
    for (const struct slot *s = slots; s < slots + SLOTS; s++)
        if (s->kind != NONE && s->block == p)
            return;
    MUST(!RxCheckMemoryBlock(p));
    MUST_EQUAL(said.warnings - warned, 1);
}

static void leaks_since(uint32_t since) {
    size_t expected = 0;
    unsigned lists = said.leaks;
    for (const struct slot *s = slots; s < slots + SLOTS; s++)
        expected += (s->kind == RX || s->kind == OTHERS) && s->since >= since;
    size_t told = RxPoolLeaksSince(since);
    MUST(told >= expected && told <= expected + untold);
    MUST_EQUAL(said.leaks - lists, told != 0);
}

/* A nonpaged block at DISPATCH_LEVEL, and a paged one that is refused there. */
static void raised(struct input *in) {
    unsigned stops = said.stops;
    uint32_t size = take_size(in, 5000), tag = tags[take_below(in, TAGS)];
    KIRQL old = KfRaiseIrql(DISPATCH_LEVEL);
    void *p = RxAllocatePoolWithTag(NonPagedPoolNx, size, tag);
    void *q = RxAllocatePoolWithTag(PagedPool, size, tag);
    bool whole = RxCheckMemoryBlock(p);
    RxFreePool(p);
    KeLowerIrql(old);
    MUST(p != NULL && q == NULL && whole);
    MUST_EQUAL(said.stops - stops, 1);
    said.stops = stops;
    allocs[index_of(tag)]++;
    frees[index_of(tag)]++;
}

static void no_bytes(void) {
    unsigned stops = said.stops;
    void *p = RxAllocatePoolWithTag(PagedPool, 0, tags[0]);
    MUST(p != NULL);
    MUST_EQUAL(said.stops - stops, 1);
    said.stops = stops;
    RxFreePool(p);
    allocs[0]++;
    frees[0]++;
}

/* --- the whole ------------------------------------------------------------------------------- */

static void count(void) {
    static struct rxpool_stats *stats;
    uint64_t got[TAGS + 1][3] = {0};
    if (stats == NULL)
        MUST(rxpool_stats_open_self(&stats, NULL) == 0);
    MUST(rxpool_stats_read(stats, NULL) == 0);
    for (uint32_t i = 0; i < rxpool_stats_summary(stats)->rows; i++) {
        const struct rxpool_stats_row *row = rxpool_stats_row(stats, i);
        for (unsigned t = 0; t <= TAGS; t++) {
            if (row->tag != tags[t])
                continue;
            got[t][0] += row->allocs;
            got[t][1] += row->frees;
            got[t][2] += row->diff;
        }
    }
    for (unsigned t = 0; t <= TAGS; t++) {
        MUST_EQUAL(got[t][0], allocs[t]);
        MUST_EQUAL(got[t][1], frees[t]);
        MUST_EQUAL(got[t][2], allocs[t] - frees[t]);
    }
}

static void step(struct input *in) {
    unsigned what = take_byte(in);
    struct slot *s = &slots[take_below(in, SLOTS)];
    if (s->kind != NONE && what < 128) {
        if (s->kind == HEAP && s->family == HEAP_MALLOC && what < 64)
            resize(in, s);
        else
            release(s, what & 1);
        return;
    }
    if (s->kind != NONE && what < 192) {
        check_one(in, s);
        return;
    }
    switch (s->kind != NONE ? 8 + what % 8 : what % 16) {
    case 0:
    case 1:
        allocate(in, s, EX);
        break;
    case 2:
    case 3:
    case 4:
        allocate(in, s, RX);
        break;
    case 5:
        allocate(in, s, OTHERS);
        break;
    case 6:
        sign(in, s);
        break;
    case 7:
        allocate_heap(in, s);
        break;
    case 8:
        check_anything(in);
        break;
    case 9:
        mark = RxPoolMark();
        break;
    case 10:
        leaks_since(mark);
        break;
    case 11:
        MUST_EQUAL(RxCheckAllMemoryBlocks(), 0);
        break;
    case 12:
        raised(in);
        break;
    case 13:
        no_bytes();
        break;
    case 14:
        if (what >= 240)
            release_elsewhere(what & 16);
        break;
    default:
        count();
    }
}

/* The sealed options may change between inputs: nothing waits in the quarantine then. */
static void choose_options(struct input *in) {
    static struct options mine;
    static const uint64_t quarantines[] = {1u << 20, 64u << 10, 0, 4u << 20};
    unsigned how = take_byte(in);
    mine = *options_get();
    mine.quarantine = quarantines[how % 4];
    mine.fill = (how & 4) == 0;
    atomic_store(&options_sealed, &mine);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    fuzz_options("on_error=log:sweep=3");
    fuzz_heap_start();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, data + size};
    fuzz_forget();
    mark = RxPoolMark();
    untold = 0;
    choose_options(&in);
    for (unsigned i = 0; i < STEPS_MOST && in.at < in.end; i++)
        step(&in);
    for (struct slot *s = slots; s < slots + SLOTS; s++)
        release(s, false);
    count();
    MUST_EQUAL(RxCheckAllMemoryBlocks(), 0);
    count();
    MUST_EQUAL(said.stops, 0);
    MUST_EQUAL(said.notes, 0);
    if (size % 16 == 0)
        MUST(engine_walk() == NULL);
    return 0;
}
