/* N times: one of 100 blocks is replaced at random by one of SIZE / 16 to SIZE bytes. For pair_cost.py, which counts instructions. */
#include <stdint.h>
#include <stdlib.h>

#define LIVE 100u

int main(int argc, char **argv) {
    static void *block[LIVE];
    long pairs = argc > 1 ? atol(argv[1]) : 0;
    size_t most = argc > 2 ? (size_t)atol(argv[2]) : 32768, least = most / 16;
    uint64_t random = 1;
    for (long i = 0; i < pairs; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        void **place = &block[(random >> 33) % LIVE];
        free(*place);
        *place = malloc(least + (random >> 43) % (most - least));
        if (*place == NULL)
            return 1;
    }
    return 0;
}
