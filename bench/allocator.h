/*
 * The allocator under test, chosen when the program is built, so that a call is what a user's call is:
 * direct, into a shared library.
 *
 *   BENCH_EX      ExAllocatePoolWithTag and ExFreePool of librxpool.so
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

#include <ntddk.h>

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
static inline bool allocator_start(uint32_t tags) {
    return tags < 62 * 62 * 62;
}
static inline void allocator_thread_start(void) {}
static inline void *allocate(size_t size, uint32_t tag) {
    return ExAllocatePoolWithTag(NonPagedPoolNx, size, tag);
}
static inline void *allocate_zeroed(size_t size, uint32_t tag) {
    return ExAllocatePoolZero(NonPagedPoolNx, size, tag);
}
static inline void release(void *block) {
    ExFreePool(block);
}
#define ALLOCATOR_HAS_REALLOC 0
static inline void *reallocate(void *block, size_t size) {
    return (void)size, block;
}

#elif defined(BENCH_HEAPS)

#include <dlfcn.h>

typedef struct mi_heap_s mi_heap_t;
static mi_heap_t *(*heap_new)(void);
static void *(*heap_malloc)(mi_heap_t *heap, size_t size);
static void *(*heap_zalloc)(mi_heap_t *heap, size_t size);
static void (*heap_free)(void *block);
static uint32_t heap_count;
/* A mimalloc heap belongs to its thread, so each thread has its own set. */
static _Thread_local mi_heap_t **heaps;

static inline uint32_t allocator_tag(uint32_t index) {
    return index;
}
static inline void allocator_thread_start(void) {
    heaps = calloc(heap_count, sizeof(*heaps));
    for (uint32_t i = 0; heaps != NULL && i < heap_count; i++) {
        heaps[i] = heap_new();
    }
}
/* False where the library is not there. */
static inline bool allocator_start(uint32_t tags) {
    void *library = dlopen("libmimalloc.so.2", RTLD_NOW);
    if (library == NULL) {
        return false;
    }
    *(void **)&heap_new = dlsym(library, "mi_heap_new");
    *(void **)&heap_malloc = dlsym(library, "mi_heap_malloc");
    *(void **)&heap_zalloc = dlsym(library, "mi_heap_zalloc");
    *(void **)&heap_free = dlsym(library, "mi_free");
    heap_count = tags;
    if (heap_new == NULL || heap_malloc == NULL || heap_zalloc == NULL || heap_free == NULL) {
        return false;
    }
    allocator_thread_start();
    return heaps != NULL;
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
static inline bool allocator_start(uint32_t tags) {
    return (void)tags, true;
}
static inline void allocator_thread_start(void) {}
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
