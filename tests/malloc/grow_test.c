/*
 * Two buffers that grow in turns, so that neither can where it lies: each of their pages is faulted in once and not again with
 * each realloc. What is copied before a block is large enough to be moved is the rest.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SKIPPED 77
#define LARGEST ((size_t)64 << 20)
#define PAGE ((size_t)4096)

static long faults(void) {
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

/* MREMAP_DONTUNMAP: not before Linux 5.7, and not in every sandbox. */
static int pages_can_move(void) {
    void *from = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return syscall(SYS_mremap, from, PAGE, PAGE, MREMAP_MAYMOVE | 4, NULL) != -1;
}

static int holds(const char *at, size_t size, char what) {
    for (size_t i = 0; i < size; i += PAGE)
        if (at[i] != what)
            return 0;
    return 1;
}

int main(void) {
    char *buffer[2] = {NULL, NULL};
    size_t size = 0;
    long before = faults(), most = (long)(2 * LARGEST / PAGE) * 3 / 2;

    if (!pages_can_move())
        return SKIPPED;
    for (size_t larger = 1 << 16; size < LARGEST; size = larger, larger += larger / 2) {
        if (larger > LARGEST)
            larger = LARGEST;
        for (int i = 0; i < 2; i++) {
            errno = 0;
            buffer[i] = realloc(buffer[i], larger);
            if (buffer[i] == NULL || errno != 0 || !holds(buffer[i], size, (char)(i + 1))) {
                fprintf(stderr, "buffer %d is lost at %zu bytes\n", i, larger);
                return 1;
            }
            memset(buffer[i] + size, i + 1, larger - size);
        }
    }
    long took = faults() - before;
    free(buffer[0]);
    free(buffer[1]);
    if (took > most) {
        fprintf(stderr, "%ld pages were faulted in, %ld at the most\n", took, most);
        return 1;
    }
    return 0;
}
