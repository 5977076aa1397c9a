/* N times: malloc of SIZE bytes, and free, of 5,000 blocks together: a pool that is emptied and filled again. For pair_cost.py. */
#include <stdlib.h>

#define TOGETHER 5000u

int main(int argc, char **argv) {
    static void *block[TOGETHER];
    long pairs = argc > 1 ? atol(argv[1]) : 0;
    size_t size = argc > 2 ? (size_t)atol(argv[2]) : 1000;
    for (; pairs >= (long)TOGETHER; pairs -= TOGETHER) {
        for (unsigned i = 0; i < TOGETHER; i++) {
            block[i] = malloc(size);
            if (block[i] == NULL)
                return 1;
        }
        for (unsigned i = 0; i < TOGETHER; i++)
            free(block[i]);
    }
    return 0;
}
