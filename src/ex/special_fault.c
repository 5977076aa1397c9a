/*
 * What a guard page stops, as a report: the access is known to the instruction, before it does harm. The
 * handler takes no lock and allocates nothing; it runs on whatever stack the fault left it.
 */
#include "base/damage.h"
#include "base/frames.h"
#include "base/lines.h"
#include "base/stop.h"
#include "ex/account.h"
#include "ex/range.h"
#include "ex/special.h"
#include "plat/guard.h"

#define TOLD_MOST 1024u

/* Parameter 4 of 0xC1. */
#define SPECIAL_SAME_PAGE 0x23u
#define SPECIAL_BEHIND 0x24u

static bool (*tell_hook)(struct text *out, uint64_t block, bool freed);

static bool (*lives_hook)(uint64_t block);

void special_set_tell(bool (*tell)(struct text *out, uint64_t block, bool freed),
                      bool (*lives)(uint64_t block)) {
    tell_hook = tell;
    lives_hook = lives;
}

bool special_lives_checked(const struct special_slot *slot) {
    return slot->checked && lives_hook != NULL && lives_hook(slot->block);
}

/* --- lines ---------------------------------------------------------------------------------------- */

/* NULL is left out. */
static void put_place(struct text *t, const char *key, const void *pc) {
    if (pc == NULL)
        return;
    text_string(t, key);
    text_string(t, ": ");
    frames_put_pc(t, pc);
    text_char(t, '\n');
}

static struct lines_block block_of(const struct special_slot *slot) {
    const struct account *a = account_at(slot->account);
    return (struct lines_block){slot->block, slot->bytes, a->tag, (a->type & ACCOUNT_PAGED) != 0};
}

static void put_block(struct text *t, const struct special_slot *slot) {
    struct lines_block b = block_of(slot);
    lines_put_block(t, "block", &b);
}

/* What the checked build knows of its block, and the sites that are known here where it knows none. */
static void put_sites(struct text *t, const struct special_slot *slot, bool freed) {
    char buffer[TOLD_MOST];
    struct text told;

    text_init(&told, buffer, sizeof(buffer));
    if (!slot->checked || tell_hook == NULL || !tell_hook(&told, slot->block, freed)) {
        put_place(t, "allocated at", slot->allocated_at);
        if (freed)
            put_place(t, "freed at", slot->freed_at);
    }
    text_string(t, buffer);
}

static bool slot_is_freed(const struct special_slot *slot) {
    return atomic_load_explicit(&slot->state, memory_order_acquire) != SPECIAL_LIVE;
}

void special_put_sites(struct text *out, const void *address) {
    const struct slab *slab = range_slab(address);
    if (slab == NULL || STATE_LOAD(&slab->kind) != SLAB_SPECIAL)
        return;
    const struct special_slot *slot = special_slot_near(slab, (uintptr_t)address);
    if (slot != NULL && !slot->checked)
        put_sites(out, slot, slot_is_freed(slot));
}

/* --- an access ---------------------------------------------------------------------------------------- */

static bool in_slot(const struct special_slot *slot, uintptr_t address) {
    return address - special_slot_base(slot) < special_slot_bytes(slot);
}

/* By the code in front of `pc`: an instruction, or where `routine` is not NULL a call of that. */
static void report_access(const struct special_slot *slot, uintptr_t address, bool write,
                          const void *pc, const char *routine) {
    struct lines_block b = block_of(slot);
    bool freed = slot_is_freed(slot), gone = freed && in_slot(slot, address);
    struct stop_report *r = stop_claim();

    stop_begin(r, gone ? STOP_FREED_SPECIAL_POOL : STOP_SPECIAL_POOL_OVERRUN, address, write,
               (uintptr_t)pc - 1, 0, lines_access(&b, address, write, gone));
    lines_put_block(&r->text, "block", &b);
    put_sites(&r->text, slot, freed);
    lines_put_access(&r->text, &b, address, write);
    stop_caller(r, "detected at", pc);
    if (routine != NULL) {
        text_string(stop_line(r, "detected by"), routine);
        stop_end_line(r);
    }
    stop_commit(r);
}

/* Told to go on: the access is made again, and succeeds. */
static bool let_through(struct special_slot *slot, uintptr_t address) {
    uint32_t freed = SPECIAL_FREED;

    if (!in_slot(slot, address)) {
        atomic_store_explicit(&slot->area->opened, true, memory_order_relaxed);
        return plat_guard_open((void *)(address & ~(POOL_PAGE_SIZE - 1)), POOL_PAGE_SIZE);
    }
    atomic_store_explicit(&slot->touched, true, memory_order_relaxed);
    atomic_compare_exchange_strong(&slot->state, &freed, SPECIAL_ASIDE);
    return plat_guard_open((void *)special_slot_base(slot), special_slot_bytes(slot));
}

static bool on_fault(uintptr_t address, bool write, const void *pc) {
    const struct slab *slab = range_slab((const void *)address);

    if (slab == NULL || STATE_LOAD(&slab->kind) != SLAB_SPECIAL)
        return false;
    struct special_slot *slot = special_slot_near(slab, address);
    if (slot == NULL || (in_slot(slot, address) && !slot_is_freed(slot)))
        return false;
    /* As a stack's innermost frame has it. */
    report_access(slot, address, write, (const char *)pc + 1, NULL);
    return let_through(slot, address);
}

void special_judge(const void *memory, size_t bytes, bool write, const void *caller,
                   const char *routine) {
    uintptr_t at = (uintptr_t)memory;
    const struct slab *slab = range_slab(memory);

    if (bytes == 0 || slab == NULL || STATE_LOAD(&slab->kind) != SLAB_SPECIAL)
        return;
    const struct special_slot *slot = special_slot_near(slab, at);
    if (slot == NULL)
        return;
    if (!slot_is_freed(slot)) {
        if (lines_within(slot->block, slot->bytes, at, bytes))
            return;
        at = lines_first_outside(slot->block, slot->bytes, at);
    }
    report_access(slot, at, write, caller, routine);
}

bool special_catch(void) {
    return plat_fault_catch(on_fault);
}

/* --- damage found by a free ------------------------------------------------------------------------------- */

static void put_damage(struct stop_report *r, const struct special_slot *slot, uintptr_t at,
                       uintptr_t last) {
    static const unsigned char slack = SPECIAL_SLACK;
    uintptr_t base = special_slot_base(slot);
    while (*(const uint8_t *)(last - 1) == SPECIAL_SLACK)
        last--;
    damage_put(r, &(struct damage_shown){.block = slot->block,
                                         .start = base,
                                         .end = base + special_slot_bytes(slot),
                                         .at = at,
                                         .bytes = last - at,
                                         .expected = &slack,
                                         .expected_bytes = 1});
}

struct stop_report *special_report_damage(const void *block, const void *caller) {
    const struct slab *slab = range_slab(block);
    const struct special_slot *slot = special_slot_near(slab, (uintptr_t)block);
    uintptr_t checked, at = special_damage(slot, &checked);
    bool behind = at >= slot->block;
    struct stop_report *r = stop_claim();

    stop_begin(r, STOP_SPECIAL_POOL, slot->block, at, 0,
               behind ? SPECIAL_BEHIND : SPECIAL_SAME_PAGE,
               behind ? "bytes between the end of a block and its guard page were overwritten"
                      : "bytes in front of a block, on its page, were overwritten");
    put_block(&r->text, slot);
    put_place(&r->text, "allocated at", slot->allocated_at);
    put_damage(r, slot, at, checked);
    stop_caller(r, "called from", caller);
    return r;
}
