/*
 * An allocator that is wrong now and then, for the bench to find out: it hands out a live block again, or, with
 * OVERLAP, blocks whose last bytes lie in their neighbours.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT void *malloc(size_t size);
EXPORT void free(void *block);

static void *(*next_malloc)(size_t size);

#ifdef OVERLAP

/* Two blocks in one, the second 16 bytes before the first one's end. Never freed: small, and seldom. */
void *malloc(size_t size) {
    static unsigned count;
    static char *second;
    if (next_malloc == NULL) {
        *(void **)&next_malloc = dlsym(RTLD_NEXT, "malloc");
    }
    if (size < 64 || size > 256) {
        return next_malloc(size);
    }
    if (second != NULL) {
        void *block = second;
        second = NULL;
        return block;
    }
    char *block = next_malloc(1024);
    if (block != NULL && ++count % 64 == 0) {
        second = block + ((size - 16) & ~(size_t)15);
    }
    return block;
}

#else

void *malloc(size_t size) {
    static unsigned count;
    static void *kept;
    if (next_malloc == NULL) {
        *(void **)&next_malloc = dlsym(RTLD_NEXT, "malloc");
    }
    if (size < 64 || size > 256) {
        return next_malloc(size);
    }
    if (++count % 256 == 0 && kept != NULL) {
        return kept;
    }
    return kept = next_malloc(1024);
}

#endif

/* Where a block was handed out twice, a free of it could end the process before the bench looks. */
void free(void *block) {
    (void)block;
}
