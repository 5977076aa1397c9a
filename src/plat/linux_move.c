/*
 * Pages that change their address. The kernel moves them, or whole tables of them, where a copy would touch every byte
 * of two places.
 *
 *   from  |pages      |  1 ->  between |pages      |  2 ->  to |pages      |zero   |
 *
 * One call could do without the place between, but not with a larger destination and a source that stays mapped:
 * a destination of two mappings could not be moved at once the next time, and a source that was unmapped for a moment
 * could be taken by another thread's mmap.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "plat/plat.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#endif

#define PAGE ((size_t)4096)
/* What one page table covers. It moves as a whole between addresses that differ by a multiple. */
#define TABLE ((size_t)2 << 20)

/* MREMAP_DONTUNMAP would unlock all of the mapping that the pages lie in, the whole pool mostly. */
static bool is_locked(void *address) {
    return madvise(address, PAGE, MADV_COLD) != 0;
}

/*
 * Where nothing is mapped, a multiple of TABLE away from `to`. A hint: another thread may take it first.
 */
static void *place_between(const void *to, size_t size) {
    size_t whole = size + 2 * TABLE;
    char *map = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (map == MAP_FAILED)
        return NULL;
    munmap(map, whole);
    return (void *)(rxp_round_up((uintptr_t)map, TABLE) + (uintptr_t)to % TABLE);
}

/* Not by mremap(): glibc hands on an address with MREMAP_FIXED only. */
static void *remap(void *from, size_t size, size_t room, int flags, void *to) {
    return (void *)syscall(SYS_mremap, from, size, room, MREMAP_MAYMOVE | flags, to);
}

static bool map_afresh(void *address, size_t size, int how) {
    return mmap(address, size, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | how, -1, 0) == address;
}

/*
 * The kernel looks at all that a caller could do wrong before it clears the destination. What is left is that it has no
 * memory for its own records: then what was cleared is mapped again.
 */
static bool move_to(void *from, size_t size, void *to, size_t room) {
    if (remap(from, size, room, MREMAP_FIXED, to) == to)
        return true;
    map_afresh(to, room, MAP_FIXED_NOREPLACE);
    return false;
}

static bool move_by(void *between, void *from, size_t size, void *to, size_t room) {
    between = remap(from, size, size, MREMAP_DONTUNMAP, between);
    if (between == MAP_FAILED)
        return false;
    if (move_to(between, size, to, room))
        return true;
    __builtin_memcpy(from, between, size);
    munmap(between, size);
    return false;
}

bool plat_move_pages(void *from, size_t size, void *to, size_t room) {
    int error = errno;
    void *between = is_locked(from) ? NULL : place_between(to, size);
    bool moved = between != NULL && move_by(between, from, size, to, room);

    errno = error;
    return moved;
}

bool plat_renew(void *address, size_t size) {
    return map_afresh(address, size, MAP_FIXED) || plat_purge(address, size);
}
