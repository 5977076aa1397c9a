/* The stress test's command line on Linux. */
#include <argp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "stress.h"

static error_t parse(int key, char *value, struct argp_state *state) {
    char *end;

    if (value == NULL) /* argp's own events */
        return ARGP_ERR_UNKNOWN;
    unsigned long number = strtoul(value, &end, 10);
    switch (key) {
    case 't':
        option.threads = (unsigned)number;
        break;
    case 's':
        option.seconds = (unsigned)number;
        break;
    case 'r':
        option.seed = number;
        break;
    case 'h':
        option.hold = (unsigned)number;
        break;
    case 'o':
        option.stop_file = value;
        return 0;
    case 'g':
        for (option.phases = 0; option.phases < 8 && number > 0; option.phases++) {
            if (number > 10000)
                argp_error(state, "--tags: %lu is above 10000", number);
            option.tags[option.phases] = (unsigned)number;
            number = *end == ',' ? strtoul(end + 1, &end, 10) : 0;
        }
        if (option.phases == 0)
            argp_error(state, "--tags %s: a list of numbers from 1 to 10000 is valid", value);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    if (*value == 0 || *end != 0)
        argp_error(state, "%s is not a number", value);
    return 0;
}

static void from_environment(const char *name, unsigned *out) {
    const char *text = getenv(name);
    if (text != NULL && *text != 0)
        *out = (unsigned)strtoul(text, NULL, 10);
}

void stress_options_read(int argc, char **argv) {
    static const struct argp_option accepted[] = {
        {"threads", 't', "N", 0, "threads that run at the same time (1 to 64)", 0},
        {"seconds", 's', "N", 0, "in all, divided over the numbers of tags", 0},
        {"seed", 'r', "N", 0, "repeats a run's choices", 0},
        {"tags", 'g', "N[,N...]", 0, "numbers of tags, one phase for each", 0},
        {"hold", 'h', "N", 0, "most blocks that one thread holds", 0},
        {"stop", 'o', "FILE", 0, "at the end write the model to FILE and stop, for another reader",
         0},
        {0}};

    from_environment("RXPOOL_STRESS_SECONDS", &option.seconds);
    from_environment("RXPOOL_STRESS_THREADS", &option.threads);
    argp_parse(&(struct argp){accepted, parse, NULL,
                              "Stresses the engine; prints one line, or what went wrong.", NULL,
                              NULL, NULL},
               argc, argv, 0, NULL, NULL);
    if (option.threads < 1 || option.threads > THREADS_MOST || option.hold < 1 ||
        option.seconds < 1) {
        fprintf(stderr, "stress: threads 1 to %u, hold and seconds from 1\n", THREADS_MOST);
        exit(2);
    }
}

void stress_stop(void) {
    raise(SIGSTOP);
}
