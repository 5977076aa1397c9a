/*
 * The memory in an ELF core file. The file may be anything: every offset is checked against its
 * size.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ex/layout.h"
#include "stats/memory.h"

#if UINTPTR_MAX > UINT32_MAX
typedef Elf64_Ehdr elf_header;
typedef Elf64_Phdr elf_segment;
typedef Elf64_Shdr elf_section;
typedef Elf64_Nhdr elf_note;
#define ELF_CLASS ELFCLASS64
#else
typedef Elf32_Ehdr elf_header;
typedef Elf32_Phdr elf_segment;
typedef Elf32_Shdr elf_section;
typedef Elf32_Nhdr elf_note;
#define ELF_CLASS ELFCLASS32
#endif

#define NOTES_MOST ((size_t)16 << 20)

static bool file_read(struct memory *m, uint64_t offset, void *out, size_t size) {
    if (offset > m->file_size || size > m->file_size - offset)
        return false;
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(m->fd, (char *)out + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

/* A piece may span several segments: the kernel writes one for each mapping. */
static bool core_read_piece(struct memory *m, struct piece piece) {
    const elf_segment *segments = m->headers.start;
    size_t i = 0;

    while (piece.size > 0) {
        for (i = 0; i < m->header_count; i++)
            if (segments[i].p_type == PT_LOAD &&
                piece.address - segments[i].p_vaddr < segments[i].p_filesz)
                break;
        if (i == m->header_count)
            return false;
        uint64_t offset = piece.address - segments[i].p_vaddr;
        uint64_t here = segments[i].p_filesz - offset;
        size_t size = here < piece.size ? (size_t)here : piece.size;
        if (!file_read(m, segments[i].p_offset + offset, piece.out, size))
            return false;
        piece = (struct piece){piece.address + size, (char *)piece.out + size, piece.size - size};
    }
    return true;
}

static bool core_read(struct memory *m, const struct piece *pieces, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!core_read_piece(m, pieces[i]))
            return false;
    return true;
}

static enum rxpool_stats_status core_each_area(struct memory *m,
                                               bool (*visit)(void *context, uint64_t start),
                                               void *context, struct rxpool_stats_error *error) {
    const elf_segment *segments = m->headers.start;

    (void)error;
    for (size_t i = 0; i < m->header_count; i++)
        if (segments[i].p_type == PT_LOAD && segments[i].p_vaddr % SLAB_SIZE == 0 &&
            segments[i].p_filesz > 0 && visit(context, segments[i].p_vaddr))
            break;
    return RXPOOL_STATS_OK;
}

static bool core_alive(struct memory *m) {
    (void)m;
    return true;
}

static void core_close(struct memory *m) {
    area_release(&m->headers);
    if (m->fd >= 0)
        close(m->fd);
}

/* --- opening ---------------------------------------------------------------------------------- */

/* A core of more than 65,534 mappings keeps their number in the first section header. */
static bool segment_count(struct memory *m, const elf_header *header, size_t *count) {
    elf_section section;

    *count = header->e_phnum;
    if (header->e_phnum != PN_XNUM)
        return true;
    if (!file_read(m, header->e_shoff, &section, sizeof(section)))
        return false;
    *count = section.sh_info;
    return true;
}

static bool core_read_headers(struct memory *m) {
    elf_header header;
    struct area segments = {0};
    size_t count;

    if (!file_read(m, 0, &header, sizeof(header)) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELF_CLASS || header.e_type != ET_CORE ||
        header.e_phentsize != sizeof(elf_segment) || !segment_count(m, &header, &count) ||
        count > m->file_size / sizeof(elf_segment))
        return false;
    if (!area_reserve(&segments, count * sizeof(elf_segment)) ||
        !file_read(m, header.e_phoff, segments.start, count * sizeof(elf_segment))) {
        area_release(&segments);
        return false;
    }
    m->headers = segments;
    m->header_count = count;
    return true;
}

/* The process's id, from the note that tells its name. */
static uint32_t notes_pid(const char *notes, size_t size) {
    size_t at = 0;
    struct elf_prpsinfo info;
    elf_note note;

    while (size - at >= sizeof(note)) {
        memcpy(&note, notes + at, sizeof(note));
        at += sizeof(note);
        size_t name = rxp_round_up(note.n_namesz, 4), body = rxp_round_up(note.n_descsz, 4);
        if (name > size - at || body > size - at - name)
            break;
        if (note.n_type == NT_PRPSINFO && note.n_descsz >= sizeof(info)) {
            memcpy(&info, notes + at + name, sizeof(info));
            return (uint32_t)info.pr_pid;
        }
        at += name + body;
    }
    return 0;
}

static uint32_t core_pid(struct memory *m) {
    const elf_segment *segments = m->headers.start;
    uint32_t pid = 0;

    for (size_t i = 0; i < m->header_count && pid == 0; i++) {
        struct area notes = {0};
        if (segments[i].p_type != PT_NOTE || segments[i].p_filesz > NOTES_MOST)
            continue;
        if (area_reserve(&notes, segments[i].p_filesz) &&
            file_read(m, segments[i].p_offset, notes.start, segments[i].p_filesz))
            pid = notes_pid(notes.start, segments[i].p_filesz);
        area_release(&notes);
    }
    return pid;
}

enum rxpool_stats_status memory_open_core(struct memory *m, const char *path,
                                          struct rxpool_stats_error *error) {
    struct stat status;

    *m = (struct memory){.frozen = true,
                         .read = core_read,
                         .each_area = core_each_area,
                         .alive = core_alive,
                         .close = core_close};
    m->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (m->fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return stats_fail(error, RXPOOL_STATS_GONE, "there is no file %s", path);
    if (m->fd < 0)
        return stats_fail(error, RXPOOL_STATS_DENIED, "%s cannot be read: %s", path,
                          strerror(errno));
    if (fstat(m->fd, &status) == 0 && S_ISREG(status.st_mode)) {
        m->file_size = (uint64_t)status.st_size;
        if (core_read_headers(m)) {
            m->pid = core_pid(m);
            return RXPOOL_STATS_OK;
        }
    }
    core_close(m);
    return stats_fail(error, RXPOOL_STATS_FORMAT, "%s is not a core file of this machine", path);
}
