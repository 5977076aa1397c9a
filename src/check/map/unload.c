/* The end of a driver: see check_unload. In a process what the library has set up serves others too. */
#include "check/check.h"

size_t check_unload(const struct caller *c) {
    return check_leaks(c);
}
