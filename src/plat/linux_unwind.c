/*
 * The reader of .eh_frame: see linux_unwind.h. The parts of the format are those of the DWARF standard's
 * call frame information and of the Linux Standard Base's .eh_frame_hdr, as gcc, clang and glibc use
 * them on x86-64; what they do not use ends the walk.
 */
#define _GNU_SOURCE
#include "plat/linux_unwind.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#define DW_REG_RBP 6
#define DW_REG_RSP 7
#define DW_REG_RA 16
#define DW_PE_SDATA4_PCREL 0x1B
#define HDR_TABLE_ENCODING 0x3B /* sdata4, relative to the header */
#define REMEMBERED_MOST 8

struct bytes {
    const unsigned char *at, *end;
};

enum saved_form { SAVED_SAME, SAVED_CFA_OFFSET, SAVED_FRAME_OFFSET, SAVED_UNDEFINED, SAVED_OTHER };

struct saved {
    enum saved_form form;
    int64_t offset;
};

struct cfi_state {
    enum unwind_cfa cfa; /* CFA_END: a form that is not followed */
    int64_t cfa_offset;
    struct saved frame, ra, other; /* other: whatever register is of no interest */
};

/* What a common information entry says to its functions. */
struct cfi_common {
    uint64_t code_align;
    int64_t data_align;
    bool signal, readable;
    struct bytes program;
};

struct cfi_machine {
    struct cfi_state now, initial, remembered[REMEMBERED_MOST];
    unsigned depth;
    uintptr_t location, target;
    const struct cfi_common *common;
    bool failed;
};

static uint64_t take(struct bytes *b, unsigned bytes) {
    uint64_t value = 0;
    if ((size_t)(b->end - b->at) < bytes) {
        b->at = b->end;
        return 0;
    }
    memcpy(&value, b->at, bytes);
    b->at += bytes;
    return value;
}

static uint64_t take_uleb(struct bytes *b) {
    uint64_t value = 0;
    for (unsigned shift = 0; b->at < b->end && shift < 64; shift += 7) {
        unsigned char byte = *b->at++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0)
            break;
    }
    return value;
}

static int64_t take_sleb(struct bytes *b) {
    uint64_t value = 0;
    unsigned shift = 0;
    unsigned char byte = 0x80;
    while (b->at < b->end && shift < 64 && (byte & 0x80) != 0) {
        byte = *b->at++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        shift += 7;
    }
    if (shift < 64 && (byte & 0x40) != 0)
        value |= ~(uint64_t)0 << shift;
    return (int64_t)value;
}

/* Cuts the next `length` bytes off. */
static struct bytes take_block(struct bytes *b, uint64_t length) {
    struct bytes part = *b;
    if ((uint64_t)(b->end - b->at) < length)
        length = (uint64_t)(b->end - b->at);
    part.end = part.at + length;
    b->at = part.end;
    return part;
}

/* An entry of .eh_frame without its length word; empty at a terminator or a 64-bit entry. */
static struct bytes entry_at(const unsigned char *at) {
    uint32_t length;
    memcpy(&length, at, sizeof(length));
    if (length == UINT32_MAX)
        length = 0;
    return (struct bytes){at + 4, at + 4 + length};
}

/* --- finding a function's entry --------------------------------------------------------------- */

struct search_table {
    unsigned char version, frame_encoding, count_encoding, table_encoding;
    int32_t frame;
    uint32_t count;
    struct {
        int32_t function, entry; /* relative to the table's header */
    } row[];
};

/* The entry of the last function that begins at or before pc, NULL for none. */
static const unsigned char *find_entry(const struct search_table *table, uintptr_t pc) {
    uintptr_t base = (uintptr_t)table;
    uint32_t low = 0, high;
    if (table->version != 1 || table->frame_encoding != DW_PE_SDATA4_PCREL ||
        table->count_encoding != 0x03 || table->table_encoding != HDR_TABLE_ENCODING)
        return NULL;
    high = table->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (base + (uintptr_t)(intptr_t)table->row[middle].function <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    return (const unsigned char *)(base + (uintptr_t)(intptr_t)table->row[low - 1].entry);
}

/* Its own header, less what the language needs for exceptions. */
static struct cfi_common read_common(struct bytes b) {
    struct cfi_common c = {.readable = false};
    uint64_t id = take(&b, 4), version = take(&b, 1);
    const char *letters = (const char *)b.at;
    unsigned char pointer_encoding = 0;
    while (b.at < b.end && *b.at != '\0')
        b.at++;
    take(&b, 1);
    c.code_align = take_uleb(&b);
    c.data_align = take_sleb(&b);
    uint64_t ra = version == 1 ? take(&b, 1) : take_uleb(&b);
    if (id != 0 || letters[0] != 'z' || ra != DW_REG_RA)
        return c;
    struct bytes extra = take_block(&b, take_uleb(&b));
    for (const char *l = letters + 1; *l != '\0'; l++) {
        unsigned char encoding = *l == 'S' ? 0 : (unsigned char)take(&extra, 1);
        if (*l == 'S')
            c.signal = true;
        else if (*l == 'R')
            pointer_encoding = encoding;
        else if (*l == 'P') /* the personality routine: 8 bytes, or 4 or 2 */
            take(&extra, (encoding & 7) == 3 ? 4 : (encoding & 7) == 2 ? 2 : 8);
    }
    c.readable = pointer_encoding == DW_PE_SDATA4_PCREL;
    c.program = b;
    return c;
}

/* --- the program ------------------------------------------------------------------------------ */

static struct saved *saved_of(struct cfi_state *s, uint64_t reg) {
    if (reg == DW_REG_RBP)
        return &s->frame;
    return reg == DW_REG_RA ? &s->ra : &s->other;
}

static void restore(struct cfi_machine *m, uint64_t reg) {
    *saved_of(&m->now, reg) = *saved_of(&m->initial, reg);
}

static void set_cfa_register(struct cfi_machine *m, uint64_t reg) {
    m->now.cfa = reg == DW_REG_RSP ? CFA_STACK : reg == DW_REG_RBP ? CFA_FRAME : CFA_END;
}

#define OP_DEREF 0x06
#define OP_BREG_RBP 0x76

/* The CFA of a function that realigned its stack: the word at rbp + N. */
static void cfa_expression(struct cfi_machine *m, struct bytes e) {
    uint64_t op = take(&e, 1);
    m->now.cfa_offset = take_sleb(&e);
    bool known = op == OP_BREG_RBP && take(&e, 1) == OP_DEREF && e.at == e.end;
    m->now.cfa = known ? CFA_SAVED : CFA_END;
}

/* A register that such a function saved at rbp + N. */
static void saved_expression(struct cfi_machine *m, uint64_t reg, struct bytes e) {
    uint64_t op = take(&e, 1);
    int64_t offset = take_sleb(&e);
    bool known = op == OP_BREG_RBP && e.at == e.end;
    *saved_of(&m->now, reg) = (struct saved){known ? SAVED_FRAME_OFFSET : SAVED_OTHER, offset};
}

static void remember(struct cfi_machine *m) {
    if (m->depth == REMEMBERED_MOST)
        m->failed = true;
    else
        m->remembered[m->depth++] = m->now;
}

static void recall(struct cfi_machine *m) {
    if (m->depth == 0)
        m->failed = true;
    else
        m->now = m->remembered[--m->depth];
}

static void save_at(struct cfi_machine *m, uint64_t reg, int64_t factored) {
    *saved_of(&m->now, reg) = (struct saved){SAVED_CFA_OFFSET, factored * m->common->data_align};
}

/* Opcodes whose first operand is a register. */
static void step_register(struct cfi_machine *m, unsigned op, struct bytes *b) {
    uint64_t reg = take_uleb(b);
    switch (op) {
    case 0x05: /* offset_extended */
        save_at(m, reg, (int64_t)take_uleb(b));
        break;
    case 0x06: /* restore_extended */
        restore(m, reg);
        break;
    case 0x07: /* undefined */
        saved_of(&m->now, reg)->form = SAVED_UNDEFINED;
        break;
    case 0x08: /* same_value */
        saved_of(&m->now, reg)->form = SAVED_SAME;
        break;
    case 0x09: /* register */
        take_uleb(b);
        saved_of(&m->now, reg)->form = SAVED_OTHER;
        break;
    case 0x0C: /* def_cfa */
        set_cfa_register(m, reg);
        m->now.cfa_offset = (int64_t)take_uleb(b);
        break;
    case 0x0D: /* def_cfa_register */
        set_cfa_register(m, reg);
        break;
    case 0x10: /* expression */
        saved_expression(m, reg, take_block(b, take_uleb(b)));
        break;
    case 0x11: /* offset_extended_sf */
        save_at(m, reg, take_sleb(b));
        break;
    case 0x12: /* def_cfa_sf */
        set_cfa_register(m, reg);
        m->now.cfa_offset = take_sleb(b) * m->common->data_align;
        break;
    case 0x16: /* val_expression */
        take_block(b, take_uleb(b));
        saved_of(&m->now, reg)->form = SAVED_OTHER;
        break;
    default:
        m->failed = true;
    }
}

static void step_other(struct cfi_machine *m, unsigned op, struct bytes *b) {
    switch (op) {
    case 0x00: /* nop */
        break;
    case 0x02: /* advance_loc, in 1, 2 or 4 bytes */
    case 0x03:
    case 0x04:
        m->location += take(b, 1u << (op - 2)) * m->common->code_align;
        break;
    case 0x0A:
        remember(m);
        break;
    case 0x0B:
        recall(m);
        break;
    case 0x0E: /* def_cfa_offset */
        m->now.cfa_offset = (int64_t)take_uleb(b);
        break;
    case 0x0F: /* def_cfa_expression */
        cfa_expression(m, take_block(b, take_uleb(b)));
        break;
    case 0x13: /* def_cfa_offset_sf */
        m->now.cfa_offset = take_sleb(b) * m->common->data_align;
        break;
    case 0x2E: /* GNU_args_size */
        take_uleb(b);
        break;
    default:
        step_register(m, op, b);
    }
}

/* Runs until the program ends or the location passes the target. */
static void run(struct cfi_machine *m, struct bytes b) {
    while (b.at < b.end && !m->failed) {
        unsigned op = (unsigned)take(&b, 1), low = op & 0x3F;
        if (op >> 6 == 1)
            m->location += low * m->common->code_align;
        else if (op >> 6 == 2)
            save_at(m, low, (int64_t)take_uleb(&b));
        else if (op >> 6 == 3)
            restore(m, low);
        else
            step_other(m, low, &b);
        if (m->location > m->target)
            return;
    }
}

static struct unwind_rule rule_from(const struct cfi_state *s) {
    struct unwind_rule rule = {CFA_END, FRAME_SAME, 0, 0};
    if (s->ra.form != SAVED_CFA_OFFSET || s->ra.offset != -8 || s->frame.form == SAVED_OTHER)
        return rule;
    if (s->cfa_offset != (int32_t)s->cfa_offset || s->frame.offset != (int32_t)s->frame.offset)
        return rule;
    rule.cfa = s->cfa;
    rule.cfa_offset = (int32_t)s->cfa_offset;
    rule.frame_offset = (int32_t)s->frame.offset;
    if (s->frame.form == SAVED_CFA_OFFSET)
        rule.frame = FRAME_AT_CFA;
    else if (s->frame.form == SAVED_FRAME_OFFSET)
        rule.frame = FRAME_AT_FRAME;
    return rule;
}

/* Of the function entry at `at`, when it covers pc. */
static struct unwind_rule rule_in_entry(const unsigned char *at, uintptr_t pc) {
    struct unwind_rule none = {CFA_END, FRAME_SAME, 0, 0};
    struct bytes b = entry_at(at);
    const unsigned char *pointer = b.at;
    struct cfi_common common = read_common(entry_at(pointer - (uint32_t)take(&b, 4)));
    if (!common.readable)
        return none;
    const unsigned char *here = b.at;
    uintptr_t function = (uintptr_t)here + (uintptr_t)(intptr_t)(int32_t)take(&b, 4);
    if (pc - function >= (uint32_t)take(&b, 4))
        return none;
    if (common.signal)
        return (struct unwind_rule){CFA_SIGNAL, FRAME_SAME, 0, 0};
    take_block(&b, take_uleb(&b));

    struct cfi_machine m = {.location = function, .target = pc, .common = &common};
    run(&m, common.program);
    m.initial = m.now;
    run(&m, b);
    return m.failed ? none : rule_from(&m.now);
}

/* --- modules ---------------------------------------------------------------------------------- */

bool unwind_covered(uintptr_t pc) {
    struct dl_find_object found;
    return _dl_find_object((void *)pc, &found) == 0;
}

static bool same_module(const struct dl_find_object *found, uintptr_t address) {
    return address >= (uintptr_t)found->dlfo_map_start && address < (uintptr_t)found->dlfo_map_end;
}

struct unwind_rule unwind_rule_of(uintptr_t pc, bool *fixed) {
    struct unwind_rule none = {CFA_END, FRAME_SAME, 0, 0};
    struct dl_find_object found;
    *fixed = false;
    if (_dl_find_object((void *)pc, &found) != 0 || found.dlfo_eh_frame == NULL)
        return none;
    *fixed = same_module(&found, (uintptr_t)&unwind_rule_of) ||
             same_module(&found, (uintptr_t)&abort) || same_module(&found, getauxval(AT_PHDR));
    const unsigned char *entry = find_entry(found.dlfo_eh_frame, pc);
    return entry == NULL ? none : rule_in_entry(entry, pc);
}
