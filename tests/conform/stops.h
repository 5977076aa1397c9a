/*
 * Runs a misuse in a child process and takes its stop report apart. The child inherits every block
 * and address of the parent, so the parent knows what the parameters must be.
 */
#ifndef CONFORM_STOPS_H
#define CONFORM_STOPS_H

#include <stdint.h>

struct stop_seen {
    int signal;       /* that ended the child; 0 when it ended by itself */
    char text[16384]; /* all of its stderr */
};

/* Calls misuse(argument) in a child and waits for its end. */
void stop_run(struct stop_seen *seen, void (*misuse)(void *argument), void *argument);

/*
 * The child must have ended by SIGABRT, and the first line of its report must be exactly this stop.
 */
void assert_stop(const struct stop_seen *seen, uint32_t code, const char *name, uint64_t p1,
                 uint64_t p2, uint64_t p3, uint64_t p4);
/* The same, with a fourth parameter that is somebody's return address: any value but 0. */
void assert_stop_caller(const struct stop_seen *seen, uint32_t code, const char *name, uint64_t p1,
                        uint64_t p2, uint64_t p3);
/* The report must contain `line`. */
void assert_report(const struct stop_seen *seen, const char *line);

#endif
