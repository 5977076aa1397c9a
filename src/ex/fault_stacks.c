/* Call stacks by number: see fault_stacks.h. */
#include "ex/fault_stacks.h"

#include <stdatomic.h>

#include "base/text.h"
#include "ex/fault_log.h"
#include "plat/plat.h"

#define FRAMES_MOST 128u
#define FRAMES_COUNTED 32u
#define SLOTS (1u << 20)
#define SLOTS_USED (SLOTS / 8 * 7)

/*
 * One table for both: the stacks' numbers, and hashes of their addresses in this process, under which a
 * stack is found without a look at its modules. Numbers are only ever added, by a CAS from 0.
 */
static struct {
    _Atomic uint64_t *slot; /* [SLOTS] */
    _Atomic uint32_t used;
    _Atomic bool full; /* said so */
    _Atomic bool torn; /* the file's last line has no end */
} stacks;

/* --- the set ------------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 29;
}

static bool find(uint64_t number) {
    for (uint32_t i = (uint32_t)(number >> 40);; i++) {
        uint64_t there = atomic_load_explicit(&stacks.slot[i % SLOTS], memory_order_relaxed);
        if (there == number || there == 0)
            return there == number;
    }
}

bool fault_stack_enter(uint64_t number) {
    if (RXP_UNLIKELY(atomic_load_explicit(&stacks.used, memory_order_relaxed) >= SLOTS_USED)) {
        if (!atomic_exchange(&stacks.full, true))
            fault_log_note("no room for more call stacks: further ones are not failed", "");
        return false;
    }
    for (uint32_t i = (uint32_t)(number >> 40);; i++) {
        uint64_t there = 0;
        if (atomic_compare_exchange_strong_explicit(&stacks.slot[i % SLOTS], &there, number,
                                                    memory_order_relaxed, memory_order_relaxed)) {
            atomic_fetch_add_explicit(&stacks.used, 1, memory_order_relaxed);
            return true;
        }
        if (there == number)
            return false;
    }
}

/* --- numbers ------------------------------------------------------------------------------------ */

/* The stack's frames, each once, the innermost first, at most FRAMES_COUNTED of them. */
static unsigned frames_of(const void *from, const void *frames[FRAMES_MOST]) {
    unsigned found = plat_backtrace(from, frames, FRAMES_MOST), count = 0;

    for (unsigned i = 0; i < found && count < FRAMES_COUNTED; i++) {
        unsigned k = 0;
        while (k < count && frames[k] != frames[i])
            k++;
        if (k == count)
            frames[count++] = frames[i];
    }
    return count;
}

/* The file's name without its folder, which may differ from run to run. */
static const char *base_name(const char *path) {
    const char *name = path;

    for (; *path != '\0'; path++) {
        if (*path == '/' || *path == '\\')
            name = path + 1;
    }
    return name;
}

static uint64_t number_of(const void *const *frames, unsigned count) {
    uint64_t hash = count;

    for (unsigned i = 0; i < count; i++) {
        uint64_t offset = 0; /* of code that no module holds nothing is sure to come again */
        const char *name = plat_module_of(frames[i], &offset);
        for (name = base_name(name != NULL ? name : ""); *name != '\0'; name++)
            hash = mix(hash, (unsigned char)*name);
        hash = mix(hash, offset);
    }
    return hash != 0 ? hash : 1;
}

uint64_t fault_stack_number(const void *from) {
    const void *frames[FRAMES_MOST];
    return number_of(frames, frames_of(from, frames));
}

uint64_t fault_stack_unseen(const void *from) {
    const void *frames[FRAMES_MOST];
    unsigned count = frames_of(from, frames);
    uint64_t seen = ~(uint64_t)count;

    for (unsigned i = 0; i < count; i++)
        seen = mix(seen, (uintptr_t)frames[i]);
    if (seen == 0 || !fault_stack_enter(seen))
        return 0;
    uint64_t number = number_of(frames, count);
    return find(number) ? 0 : number;
}

/* --- the file ----------------------------------------------------------------------------------- */

/* Reads a line's number, digit by digit as the bytes come. */
struct line {
    uint64_t number;
    unsigned digits;
    bool over; /* the rest of the line is not for us */
};

static void read_byte(struct line *line, char c) {
    bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';

    if (c == '\n') {
        *line = (struct line){0, 0, false};
    } else if (!line->over && (digit || letter)) {
        line->number = line->number << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
        line->digits++;
    } else {
        line->over = true;
    }
    if (!line->over && line->digits == 16) {
        if (line->number != 0)
            fault_stack_enter(line->number);
        line->over = true;
    }
}

static void read_file(const char *file) {
    char bytes[4096], last = '\n';
    struct line line = {0, 0, false};
    uint64_t offset = 0;
    size_t got;

    while ((got = plat_read_file(file, offset, bytes, sizeof bytes)) > 0) {
        for (size_t i = 0; i < got; i++)
            read_byte(&line, bytes[i]);
        offset += got;
        last = bytes[got - 1];
    }
    atomic_store_explicit(&stacks.torn, last != '\n', memory_order_relaxed);
}

bool fault_stack_append(const char *file, uint64_t number, const char *site) {
    static const char digits[] = "0123456789abcdef";
    char buffer[640];
    struct text t;

    text_init(&t, buffer, sizeof buffer - 1);
    if (atomic_exchange_explicit(&stacks.torn, false, memory_order_relaxed))
        text_char(&t, '\n');
    for (unsigned shift = 64; shift > 0; shift -= 4)
        text_char(&t, digits[number >> (shift - 4) & 15]);
    text_char(&t, ' ');
    text_string(&t, site);
    t.capacity++; /* room for the line's end was kept */
    text_char(&t, '\n');
    return plat_append(file, t.buffer, t.length);
}

bool fault_stacks_start(const char *file) {
    size_t size = SLOTS * sizeof *stacks.slot;
    void *memory = plat_reserve(size, (size_t)1 << 16);

    if (memory == NULL)
        return false;
    if (!plat_commit(memory, size)) {
        plat_release(memory, size);
        return false;
    }
    stacks.slot = memory;
    if (file[0] != '\0')
        read_file(file);
    return true;
}
