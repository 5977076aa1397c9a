/*
 * The allocator under test, chosen when the program is built, so that a call is what a user's call is:
 * direct, into a shared library.
 *
 *   BENCH_EX      ExAllocatePoolWithTag and ExFreePool of librxpool.so; with BENCH_CHECKED, and DBG=1, the
 *                 checked build's RxAllocatePoolWithTag and RxFreePool
 *   BENCH_HEAPS   mimalloc with one heap for each tag: the nearest that a peer comes to accounting
 *   neither       malloc and free: glibc's, or those of a preloaded library
 */
#ifndef RXPOOL_BENCH_ALLOCATOR_H
#define RXPOOL_BENCH_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(BENCH_EX)

#include <ntifs.h>
#include <ntrxdef.h>
#include <string.h>

/* Four characters, different for every index up to a million. */
static inline uint32_t allocator_tag(uint32_t index) {
    uint32_t tag = 'B';
    for (int shift = 8; shift < 32; shift += 8, index /= 62) {
        uint32_t digit = index % 62;
        tag |= (digit < 10   ? '0' + digit
                : digit < 36 ? 'A' + digit - 10
                             : 'a' + digit - 36)
               << shift;
    }
    return tag;
}
static inline bool allocator_load(uint32_t tags) {
    return tags < 62 * 62 * 62;
}
static inline void allocator_thread_start(void) {}
/* accounts.c: what the pool's table says of all tags together; false where there is no table. */
bool allocator_accounts(uint64_t *allocations, uint64_t *live);
#if defined(BENCH_CHECKED)
static inline void *allocate(size_t size, uint32_t tag) {
    return RxAllocatePoolWithTag(NonPagedPoolNx, (ULONG)size, tag);
}
static inline void *allocate_zeroed(size_t size, uint32_t tag) {
    void *block = allocate(size, tag);
    return block == NULL ? NULL : memset(block, 0, size);
}
static inline void release(void *block) {
    RxFreePool(block);
}
#else
static inline void *allocate(size_t size, uint32_t tag) {
    return ExAllocatePoolWithTag(NonPagedPoolNx, size, tag);
}
static inline void *allocate_zeroed(size_t size, uint32_t tag) {
    return ExAllocatePoolZero(NonPagedPoolNx, size, tag);
}
static inline void release(void *block) {
    ExFreePool(block);
}
#endif
#define ALLOCATOR_HAS_REALLOC 0
static inline void *reallocate(void *block, size_t size) {
    return (void)size, block;
}

#elif defined(BENCH_HEAPS)

/* heaps.c. A mimalloc heap belongs to its thread, so each thread has its own set. */
typedef struct mi_heap_s mi_heap_t;
extern mi_heap_t *(*heap_new)(void);
extern void *(*heap_malloc)(mi_heap_t *heap, size_t size);
extern void *(*heap_zalloc)(mi_heap_t *heap, size_t size);
extern void (*heap_free)(void *block);
extern _Thread_local mi_heap_t **heaps;
/* False where the library is not there. */
bool allocator_load(uint32_t tags);
void allocator_thread_start(void);
static inline bool allocator_accounts(uint64_t *allocations, uint64_t *live) {
    return *allocations = *live = 0, false;
}

static inline uint32_t allocator_tag(uint32_t index) {
    return index;
}
static inline void *allocate(size_t size, uint32_t tag) {
    return heap_malloc(heaps[tag], size);
}
static inline void *allocate_zeroed(size_t size, uint32_t tag) {
    return heap_zalloc(heaps[tag], size);
}
static inline void release(void *block) {
    heap_free(block);
}
#define ALLOCATOR_HAS_REALLOC 0
static inline void *reallocate(void *block, size_t size) {
    return (void)size, block;
}

#else

static inline uint32_t allocator_tag(uint32_t index) {
    return index;
}
static inline bool allocator_load(uint32_t tags) {
    return (void)tags, true;
}
static inline void allocator_thread_start(void) {}
static inline bool allocator_accounts(uint64_t *allocations, uint64_t *live) {
    return *allocations = *live = 0, false;
}
static inline void *allocate(size_t size, uint32_t tag) {
    return (void)tag, malloc(size);
}
static inline void *allocate_zeroed(size_t size, uint32_t tag) {
    return (void)tag, calloc(1, size);
}
static inline void release(void *block) {
    free(block);
}
#define ALLOCATOR_HAS_REALLOC 1
static inline void *reallocate(void *block, size_t size) {
    return realloc(block, size);
}

#endif
#endif
