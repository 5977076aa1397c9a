/* Runs a fuzz target on each file that is named, once, without the fuzzer. */
#include "fuzz.h"

#include <string.h>

static void replay(const char *name) {
    static uint8_t bytes[1 << 16];
    FILE *f = fopen(name, "rb");
    if (f == NULL) {
        perror(name);
        exit(1);
    }
    size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    fprintf(stderr, "%s\n", name);
    /* A copy of just that length, so that a sanitizer sees a read beyond it. */
    uint8_t *input = malloc(size + 1);
    memcpy(input, bytes, size);
    LLVMFuzzerTestOneInput(input, size);
    free(input);
}

int main(int argc, char **argv) {
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE ...\n", argv[0]);
        return 2;
    }
    return 0;
}
