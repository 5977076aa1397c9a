/* Values on the command line of `rxpool run`, which every system's has: see tool.h. */
#include <stdlib.h>
#include <string.h>

#include "tool.h"

void tool_bad_value(const char *option, const char *value, const char *what) {
    tool_message("run: '%s' is no value for %s; valid: %s", value, option, what);
    exit(TOOL_USAGE);
}

double tool_seconds(const char *option, const char *s) {
    char *end;
    double seconds = strtod(s, &end);

    if (*s == '\0' || *end != '\0' || !(seconds >= 0.01 && seconds <= 1e6))
        tool_bad_value(option, s, "seconds, 0.01 to 1000000");
    return seconds;
}

const char *tool_side(const char *s) {
    if (strcmp(s, "over") != 0 && strcmp(s, "under") != 0 && strcmp(s, "exact") != 0)
        tool_bad_value("--guard", s, "over, under, exact");
    return s;
}
