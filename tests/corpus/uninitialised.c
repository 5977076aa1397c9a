/* Uses of what was never written (CWE-457, CWE-908). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "corpus.h"

static void *fresh(size_t bytes, int bad) {
    void *p = malloc(bytes);
    if (!bad)
        memset(p, 0, bytes);
    return p;
}

CASE(branch) {
    int *p = fresh(10 * sizeof *p, bad);
    if (p[3] > 5)
        use(1);
    error_made();
    free(p);
}

CASE(pointer) {
    struct holder {
        long number;
        const char *name;
    } *p = fresh(sizeof *p, bad);
    if (p->name != NULL)
        use(p->name[0]);
    error_made();
    free(p);
}

CASE(text) {
    char *p = fresh(100, bad);
    use((long)strlen(p));
    error_made();
    free(p);
}

CASE(array_index) {
    int table[16] = {0};
    int *p = fresh(sizeof *p * 4, bad);
    table[p[1] & 15]++;
    use(table[p[1] & 15]);
    error_made();
    free(p);
}

CASE(partly_written) {
    int *p = fresh(20 * sizeof *p, bad), sum = 0;
    for (int i = 0; i < 10; i++)
        p[i] = i;
    for (int i = 0; i < 20; i++)
        sum += p[i];
    use(sum > 100 ? 1 : 0);
    error_made();
    free(p);
}

CASE(written_to_a_file) {
    char *p = fresh(64, bad);
    int to = sink();
    use(write(to, p, 64));
    close(to);
    error_made();
    free(p);
}
