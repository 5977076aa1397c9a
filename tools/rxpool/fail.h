/* rxpool run --fail: a command run again and again, with another allocation failed each time. */
#ifndef RXPOOL_TOOLS_FAIL_H
#define RXPOOL_TOOLS_FAIL_H

/* What the command line says of it. */
struct fail_plan {
    const char *fail; /* the value of fail=; NULL: the command is run once and as it is */
    const char *file; /* where the call stacks that were failed stay; NULL: nowhere */
    long runs;        /* at most so many; 0: as many as it takes */
    double seconds;   /* stop after so long; 0: never */
};

/* The program to run. */
struct fail_command {
    char **words;
    const char *flags; /* of `rxpool run` in a replay: empty, or beginning with a blank */
    /* Called in a child whose RXPOOL_OPTIONS, stdin, stdout and stderr are made: becomes the command. */
    void (*become)(void *argument);
    void *argument;
};

/*
 * Runs it by the plan. stdout of the command is lost, stderr shown of runs that crash. stdin is rewound
 * for each run where it can be, and /dev/null else. Answers the status to exit with: 0 when no run
 * crashed, 1 when one did, 2 when the plan is not valid.
 */
int fail_runs(const struct fail_plan *plan, const struct fail_command *command);

#endif
