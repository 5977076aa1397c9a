/* What libelf knows of a core file: see core_files.h. In the library that elf_late.c loads. */
#define _GNU_SOURCE
#include "core_files.h"

#include <elf.h>
#include <fcntl.h>
#include <gelf.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

struct listener {
    void (*tell)(void *context, const char *file);
    void *context;
};

/*
 * The note NT_FILE: words of the machine that say how many files there are, what a page is, and of each file
 * where it was mapped; behind them the names, each with its terminator. The note may hold anything.
 */
static void add_files(struct listener to, const char *note, size_t size) {
    unsigned long count;
    if (size < 2 * sizeof(count))
        return;
    memcpy(&count, note, sizeof(count));
    if (count > (size / sizeof(count) - 2) / 3)
        return;
    const char *name = note + (2 + 3 * count) * sizeof(count), *end = note + size;
    for (unsigned long i = 0; i < count && memchr(name, '\0', (size_t)(end - name)) != NULL; i++) {
        to.tell(to.context, name);
        name += strlen(name) + 1;
    }
}

static void add_notes(struct listener to, Elf_Data *notes) {
    GElf_Nhdr note;
    size_t name, body, at = 0, next;
    while (notes != NULL && (next = gelf_getnote(notes, at, &note, &name, &body)) > 0) {
        if (note.n_type == NT_FILE)
            add_files(to, (const char *)notes->d_buf + body, note.n_descsz);
        at = next;
    }
}

static void add_core(struct listener to, Elf *core) {
    GElf_Phdr segment;
    size_t count;
    if (elf_getphdrnum(core, &count) != 0)
        return;
    for (size_t i = 0; i < count; i++)
        if (gelf_getphdr(core, (int)i, &segment) != NULL && segment.p_type == PT_NOTE)
            add_notes(to, elf_getdata_rawchunk(core, (int64_t)segment.p_offset, segment.p_filesz,
                                               segment.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR));
}

RXP_EXPORT void core_files(const char *path, void (*tell)(void *context, const char *file),
                           void *context) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    Elf *core = NULL;
    if (file >= 0 && elf_version(EV_CURRENT) != EV_NONE)
        core = elf_begin(file, ELF_C_READ_MMAP, NULL);
    if (core != NULL)
        add_core((struct listener){tell, context}, core);
    elf_end(core);
    if (file >= 0)
        close(file);
}
