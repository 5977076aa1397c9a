/*
 * Allocates until nothing is left (started under ulimit -v): NULL and ENOMEM, nothing lost, and all
 * of it usable again once it is free. The sizes take turns, so that slabs and spans both meet the
 * end.
 */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "program.h"

static const size_t sizes[] = {16, 100000, 1000, 30000, 3000000, 64, 4096};
#define SIZES (sizeof sizes / sizeof sizes[0])

struct block {
    struct block *next;
    size_t size;
    unsigned char last;
};

/* The list is kept in the blocks themselves: nothing else is there to keep it. */
static size_t fill(struct block **list) {
    size_t bytes = 0;
    for (size_t i = 0, refused = 0; refused < SIZES; i++) {
        size_t size =
            sizes[i % SIZES] < sizeof(struct block) ? sizeof(struct block) : sizes[i % SIZES];
        errno = 0;
        struct block *block = malloc(size);
        if (block == NULL) {
            require(errno == ENOMEM);
            refused++;
            continue;
        }
        refused = 0;
        block->next = *list;
        block->size = size;
        ((unsigned char *)block)[size - 1] = 0x77;
        *list = block;
        bytes += size;
    }
    return bytes;
}

static void drain(struct block *list) {
    while (list != NULL) {
        struct block *next = list->next;
        require(((unsigned char *)list)[list->size - 1] == 0x77);
        free(list);
        list = next;
    }
}

static void *nothing(void *argument) {
    free(malloc(10));
    return argument;
}

int main(void) {
    struct block *list = NULL;
    require_drop_in();
    alarm(300);
    size_t first = fill(&list);
    void *zeroed = calloc(1, 5000000);
    require(zeroed == NULL && errno == ENOMEM);
    struct block *big = realloc(list, 400000000);
    require(big == NULL);
    pthread_t thread; /* a stack is hardly to be had either: refused or run, but no crash */
    if (pthread_create(&thread, NULL, nothing, NULL) == 0)
        pthread_join(thread, NULL);
    drain(list);
    for (int round = 0; round < 2; round++) {
        list = NULL;
        size_t again = fill(&list);
        drain(list);
        if (again < first / 10 * 8) {
            fprintf(stderr, "first %zu bytes, then only %zu\n", first, again);
            return 1;
        }
    }
    printf("%zu MB until the end\n", first >> 20);
    return first > (100u << 20) ? 0 : 1;
}
