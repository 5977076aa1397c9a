/* N times: posix_memalign of up to SIZE bytes at 64 to 4096, and free. For pair_cost.py, which counts instructions. */
#include <stdlib.h>

int main(int argc, char **argv) {
    long pairs = argc > 1 ? atol(argv[1]) : 0;
    size_t size = argc > 2 ? (size_t)atol(argv[2]) : 2000;
    for (long i = 0; i < pairs; i++) {
        void *block;
        if (posix_memalign(&block, (size_t)64 << i % 7, 1 + (size_t)i * 61 % size) != 0)
            return 1;
        free(block);
    }
    return 0;
}
