/*
 * plat_backtrace: a walk by the rules of linux_unwind.h.
 *
 * Reading a rule costs some thousand instructions, following one about 20, so rules are kept in a table
 * by pc. An entry is two words, written without a lock: the first is the pc and the second combined, so
 * words of two different entries do not pass for one.
 *
 * A rule outlives its module where that is unloaded. So rules of modules that can be unloaded hold for
 * an address only while it is some module's, and while the bytes of the calling instruction are the same.
 *
 * Only the stack is read, and only where it was seen to be readable: `seen` is the run of pages around
 * the thread's last stack pointers that one system call has read a byte of each of.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ucontext.h>
#include <sys/uio.h>
#include <unistd.h>

#include "plat/linux_unwind.h"
#include "plat/plat.h"

#define PAGE ((uintptr_t)4096)
#define WALK_MOST 256u /* frames, those before `from` included */
#define CALL_BYTES 8u  /* that an entry of an unloadable module remembers, in front of the pc */

/* --- the table of rules ------------------------------------------------------------------------ */

#define CACHE_BITS 12
/* The second word: 3 bits CFA, 2 frame, 1 fixed, 20 and 14 for the offsets in words, 24 for the bytes. */
#define RULE_BITS 40
#define CFA_WORDS (1 << 19)
#define FRAME_WORDS (1 << 13)

static struct { _Atomic uint64_t key, rule; } cache[1u << CACHE_BITS];

/* Of the bytes that end with the one at pc, or begin its page. */
static uint64_t call_bytes(uintptr_t pc) {
    uintptr_t page = pc & ~(PAGE - 1), at = pc - (CALL_BYTES - 1);
    uint64_t bytes;
    memcpy(&bytes, (const void *)(at > page ? at : page), sizeof(bytes));
    return bytes * 0x9E3779B97F4A7C15u >> RULE_BITS << RULE_BITS;
}

static bool packable(const struct unwind_rule *r) {
    return r->cfa_offset % 8 == 0 && r->frame_offset % 8 == 0 && r->cfa_offset / 8 < CFA_WORDS &&
           r->cfa_offset / 8 >= -CFA_WORDS && r->frame_offset / 8 < FRAME_WORDS &&
           r->frame_offset / 8 >= -FRAME_WORDS;
}

static uint64_t pack(const struct unwind_rule *r, bool fixed) {
    return (uint64_t)r->cfa | (uint64_t)r->frame << 3 | (uint64_t)fixed << 5 |
           (uint64_t)(uint32_t)(r->cfa_offset / 8 + CFA_WORDS) << 6 |
           (uint64_t)(uint32_t)(r->frame_offset / 8 + FRAME_WORDS) << 26;
}

static struct unwind_rule unpack(uint64_t word) {
    struct unwind_rule r;
    r.cfa = (enum unwind_cfa)(word & 7);
    r.frame = (enum unwind_frame)(word >> 3 & 3);
    r.cfa_offset = ((int32_t)(word >> 6 & (2 * CFA_WORDS - 1)) - CFA_WORDS) * 8;
    r.frame_offset = ((int32_t)(word >> 26 & (2 * FRAME_WORDS - 1)) - FRAME_WORDS) * 8;
    return r;
}

static RXP_NOINLINE struct unwind_rule rule_slow(uintptr_t pc, unsigned slot) {
    bool fixed;
    struct unwind_rule rule = unwind_rule_of(pc, &fixed);
    if (rule.cfa != CFA_END && packable(&rule)) {
        uint64_t word = pack(&rule, fixed);
        if (!fixed)
            word |= call_bytes(pc);
        atomic_store_explicit(&cache[slot].key, pc ^ word, memory_order_relaxed);
        atomic_store_explicit(&cache[slot].rule, word, memory_order_relaxed);
    }
    return rule;
}

/* The rule for the instruction that `pc` is in. */
static inline struct unwind_rule rule_at(uintptr_t pc) {
    unsigned slot = (unsigned)((uint64_t)pc * 0x9E3779B97F4A7C15u >> (64 - CACHE_BITS));
    uint64_t word = atomic_load_explicit(&cache[slot].rule, memory_order_relaxed);
    uint64_t key = atomic_load_explicit(&cache[slot].key, memory_order_relaxed);
    bool fixed = (word & 1 << 5) != 0;
    if (RXP_LIKELY((key ^ word) == pc && pc != 0) &&
        (fixed || (unwind_covered(pc) && call_bytes(pc) == word >> RULE_BITS << RULE_BITS)))
        return unpack(word);
    return rule_slow(pc, slot);
}

/* --- the stack's bytes ------------------------------------------------------------------------- */

#define PROBE_PAGES 64u
#define PROBE_ROUNDS 16u

struct seen {
    uintptr_t low, high; /* readable in between; page boundaries */
};

static __thread struct seen seen_by_thread __attribute__((tls_model("initial-exec")));

/* Whether each page in [low, high) can be read. */
static RXP_NOINLINE bool probe(uintptr_t low, uintptr_t high) {
    struct iovec from[PROBE_PAGES];
    char bytes[PROBE_PAGES] = {0};
    int saved = errno;
    bool readable = high - low <= PROBE_ROUNDS * PROBE_PAGES * PAGE;
    while (readable && low < high) {
        unsigned n = 0;
        for (; n < PROBE_PAGES && low < high; n++, low += PAGE)
            from[n] = (struct iovec){(void *)low, 1};
        struct iovec to = {bytes, n};
        readable = process_vm_readv(getpid(), &to, 1, from, n, 0) == (ssize_t)n;
    }
    errno = saved;
    return readable;
}

/* Begins with the page of the stack pointer, keeping what is known when that is near. */
static inline void seen_begin(struct seen *s, uintptr_t sp) {
    uintptr_t page = sp & ~(PAGE - 1);
    if (RXP_LIKELY(sp >= s->low && sp < s->high))
        return;
    if (sp >= s->low || !probe(page, s->low))
        s->high = page + PAGE;
    s->low = page;
}

/* Any word of a stack may be read, those that a sanitizer keeps between its variables too. */
__attribute__((no_sanitize("address"))) static inline uintptr_t stack_word(uintptr_t at) {
    return *(const uintptr_t *)at;
}

/* The word at `at`; false when it cannot be read, or lies below the stack pointer that the walk began with. */
static inline bool seen_word(struct seen *s, uintptr_t at, uintptr_t *word) {
    if (at < s->low || at % sizeof(*word) != 0)
        return false;
    if (RXP_UNLIKELY(at + sizeof(*word) > s->high)) {
        uintptr_t high = (at & ~(PAGE - 1)) + PAGE;
        if (high == 0 || !probe(s->high, high))
            return false;
        s->high = high;
    }
    *word = stack_word(at);
    return true;
}

/* --- the walk ---------------------------------------------------------------------------------- */

struct frame {
    uintptr_t pc; /* a return address; exact: the very instruction */
    uintptr_t sp, bp;
    bool exact;
};

/* To the code that the signal interrupted: its registers lie in the ucontext at the stack pointer. */
static bool step_signal(struct frame *f, struct seen *seen) {
    uintptr_t registers = f->sp + offsetof(ucontext_t, uc_mcontext.gregs);
    uintptr_t sp;
    if (!seen_word(seen, registers + REG_RIP * sizeof(greg_t), &f->pc) ||
        !seen_word(seen, registers + REG_RBP * sizeof(greg_t), &f->bp) ||
        !seen_word(seen, registers + REG_RSP * sizeof(greg_t), &sp))
        return false;
    /* The handler ran on a stack of its own. */
    if (sp < f->sp || sp - f->sp > PROBE_ROUNDS * PROBE_PAGES * PAGE)
        *seen = (struct seen){sp & ~(PAGE - 1), sp & ~(PAGE - 1)};
    f->sp = sp;
    f->exact = true;
    return true;
}

/* From a frame to its caller's; false at the end. */
static inline bool step(struct frame *f, struct seen *seen) {
    struct unwind_rule rule = rule_at(f->pc - !f->exact);
    uintptr_t cfa = (rule.cfa == CFA_STACK ? f->sp : f->bp) + (uintptr_t)(intptr_t)rule.cfa_offset;
    uintptr_t saved =
        (rule.frame == FRAME_AT_CFA ? cfa : f->bp) + (uintptr_t)(intptr_t)rule.frame_offset;
    if (RXP_UNLIKELY(rule.cfa != CFA_STACK && rule.cfa != CFA_FRAME)) {
        if (rule.cfa == CFA_SIGNAL)
            return step_signal(f, seen);
        if (rule.cfa != CFA_SAVED || !seen_word(seen, cfa, &cfa))
            return false;
        if (rule.frame == FRAME_AT_CFA)
            saved = cfa + (uintptr_t)(intptr_t)rule.frame_offset;
    }
    /* The caller's frame lies above: no loops. */
    if (cfa <= f->sp || !seen_word(seen, cfa - sizeof(uintptr_t), &f->pc) ||
        (rule.frame != FRAME_SAME && !seen_word(seen, saved, &f->bp)))
        return false;
    f->sp = cfa;
    f->exact = false;
    return f->pc != 0;
}

RXP_NOINLINE unsigned plat_backtrace(const void *from, const void **frames, unsigned most) {
    struct frame f = {.exact = true};
    struct seen seen = seen_by_thread;
    unsigned count = 0;
    bool begun = from == NULL;

    __asm__ volatile("leaq 0(%%rip), %0\n\tmovq %%rsp, %1\n\tmovq %%rbp, %2"
                     : "=&r"(f.pc), "=&r"(f.sp), "=&r"(f.bp));
    seen_begin(&seen, f.sp);
    /* Out of this function; the next return address is the one behind the call of our caller. */
    bool more = step(&f, &seen) && (!begun || step(&f, &seen));
    for (unsigned walked = 0; more && count < most && walked < WALK_MOST; walked++) {
        uintptr_t shown = f.pc + f.exact;
        begun = begun || (const void *)f.pc == from;
        if (begun)
            frames[count++] = (const void *)shown;
        more = step(&f, &seen);
    }
    if (seen_by_thread.low != seen.low || seen_by_thread.high != seen.high)
        seen_by_thread = seen;
    if (count == 0 && from != NULL && most > 0)
        frames[count++] = from;
    return count;
}
