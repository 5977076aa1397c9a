/*
 * What stop codes and their parameters mean, after Microsoft's public bug check reference (only the
 * part that pool code can meet), in words of our own.
 */
#ifndef RXPOOL_TOOLS_STOPCODES_H
#define RXPOOL_TOOLS_STOPCODES_H

#include <stdint.h>

/* One value of the parameter that tells the cases of a code apart. */
struct stop_case {
    uint64_t value;
    const char *meaning;
    /*
     * What the other parameters are, in their order; NULL where nothing is said. Names ending in
     * "tag" are tags.
     */
    const char *parameters[3];
};

struct stop_code {
    uint32_t code;
    const char *name;
    const char *meaning;
    unsigned selector;         /* the parameter (1 to 4) whose value picks a case; 0 for none */
    const char *parameters[4]; /* where no case says more; NULL: nothing is said */
    const struct stop_case *cases;
    unsigned case_count;
};

extern const struct stop_code stop_codes[];
extern const unsigned stop_code_count;

#endif
