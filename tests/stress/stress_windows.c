/* On Windows the stress test is told by its environment alone. */
#include <stdio.h>
#include <stdlib.h>

#include "stress.h"

static unsigned from_environment(const char *name, unsigned otherwise, unsigned most) {
    const char *text = getenv(name);
    char *end;

    if (text == NULL || *text == 0)
        return otherwise;
    unsigned long number = strtoul(text, &end, 10);
    if (*end != 0 || number < 1 || number > most) {
        fprintf(stderr, "stress: %s: %s is not a number from 1 to %u\n", name, text, most);
        exit(2);
    }
    return (unsigned)number;
}

void stress_options_read(int argc, char **argv) {
    if (argc > 1) {
        fprintf(stderr, "stress: %s: takes no arguments here\n", argv[1]);
        exit(2);
    }
    option.seconds = from_environment("RXPOOL_STRESS_SECONDS", option.seconds, 1000000);
    option.threads = from_environment("RXPOOL_STRESS_THREADS", option.threads, THREADS_MOST);
}

/* Never asked for: there is no argument that names a file. */
void stress_stop(void) {
    abort();
}
