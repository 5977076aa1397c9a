/* What the small programs share. Each is started under the drop-in and ends with 0 when all was
 * well. */
#ifndef TESTS_MALLOC_PROGRAM_H
#define TESTS_MALLOC_PROGRAM_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define require(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);          \
            _Exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* A run without the drop-in would prove nothing. */
static inline void require_drop_in(void) {
    Dl_info info;
    require(dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info) != 0);
    require(strstr(info.dli_fname, "librxpool-malloc.so") != NULL);
}

/* Allocates, fills, checks and frees `rounds` blocks of many sizes, 64 of them alive at a time. */
static inline void churn(unsigned seed, int rounds) {
    unsigned char *live[64] = {0};
    size_t size[64] = {0};
    for (int i = 0; i < rounds + 64; i++) {
        int at = i % 64;
        for (size_t n = 0; n < size[at]; n++)
            require(live[at][n] == (unsigned char)(at + (int)seed));
        free(live[at]);
        seed = seed * 1103515245u + 12345u;
        size[at] = i < rounds ? (seed >> 8) % ((seed >> 4) % 50 == 0 ? 200000 : 1200) : 0;
        seed = seed & ~255u;
        live[at] = i < rounds ? malloc(size[at]) : NULL;
        require(i >= rounds || live[at] != NULL);
        if (live[at] != NULL)
            memset(live[at], at, size[at]);
    }
}

#endif
