/* N times: malloc of SIZE bytes, realloc to half as many more, and free. For pair_cost.py, which counts instructions. */
#include <stdlib.h>

int main(int argc, char **argv) {
    long pairs = argc > 1 ? atol(argv[1]) : 0;
    size_t size = argc > 2 ? (size_t)atol(argv[2]) : 64;
    for (long i = 0; i < pairs; i++) {
        void *block = malloc(size);
        void *grown = realloc(block, size + size / 2);
        if (grown == NULL)
            return 1;
        free(grown);
    }
    return 0;
}
