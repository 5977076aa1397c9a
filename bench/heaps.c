/* mimalloc's heaps, one for each tag and thread: see allocator.h. */
#include "allocator.h"

#include <dlfcn.h>

mi_heap_t *(*heap_new)(void);
void *(*heap_malloc)(mi_heap_t *heap, size_t size);
void *(*heap_zalloc)(mi_heap_t *heap, size_t size);
void (*heap_free)(void *block);
_Thread_local mi_heap_t **heaps;
static uint32_t heap_count;

bool allocator_load(uint32_t tags) {
    void *library = dlopen("libmimalloc.so.2", RTLD_NOW);
    if (library == NULL) {
        return false;
    }
    *(void **)&heap_new = dlsym(library, "mi_heap_new");
    *(void **)&heap_malloc = dlsym(library, "mi_heap_malloc");
    *(void **)&heap_zalloc = dlsym(library, "mi_heap_zalloc");
    *(void **)&heap_free = dlsym(library, "mi_free");
    heap_count = tags;
    return heap_new != NULL && heap_malloc != NULL && heap_zalloc != NULL && heap_free != NULL;
}

void allocator_thread_start(void) {
    heaps = calloc(heap_count, sizeof(*heaps));
    if (heaps == NULL) {
        abort();
    }
    for (uint32_t i = 0; i < heap_count; i++) {
        heaps[i] = heap_new();
    }
}
