/* What a run of the stress test is told, and how it stops for another reader: a file for each system. */
#ifndef RXPOOL_TESTS_STRESS_H
#define RXPOOL_TESTS_STRESS_H

#include <stdint.h>

#define THREADS_MOST 64u

struct stress_options {
    unsigned threads, seconds, hold, phases;
    unsigned tags[8]; /* one number for each phase */
    uint64_t seed;
    const char *stop_file; /* or NULL: do not stop */
};

extern struct stress_options option;

/* Reads the command line and the environment into `option`; ends the process where they are not valid. */
void stress_options_read(int argc, char **argv);
/* Stops this process, as SIGSTOP does. */
void stress_stop(void);

#endif
