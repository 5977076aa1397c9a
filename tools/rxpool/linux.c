/* The command on Linux: what it offers, and where its files are. */
#define _GNU_SOURCE
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

const struct tool_command tool_commands[] = {
    {"run", command_run},         {"stat", command_stat}, {"explain", command_explain},
    {"symbols", command_symbols}, {NULL, NULL},
};

const char tool_usage[] =
    "usage: rxpool run [--by module|site|tag] [--json FILE] [--every SECONDS] [--] COMMAND "
    "[ARGUMENT...]\n"
    "       rxpool run --fail N|P%|new-stack [--checked] [--] COMMAND [ARGUMENT...]\n"
    "       rxpool stat PID|CORE [--json]\n"
    "       rxpool explain CODE [PARAMETER...]\n"
    "       rxpool symbols [FILE]\n"
    "\n"
    "Who owns every byte of a program: run one on the pool, look at one that runs or at its core\n"
    "file, and read what a stop code means, and which code a report speaks of. `rxpool COMMAND "
    "--help`\n"
    "tells more, as does rxpool(1).\n";

bool beside_program(const char *folder, const char *name, char *path, size_t capacity) {
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (length <= 0)
        return false;
    self[length] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(self, '/');
        if (slash == NULL)
            return false;
        *slash = '\0';
    }
    int n = snprintf(path, capacity, "%s/%s/%s", self, folder, name);
    return n > 0 && (size_t)n < capacity && access(path, R_OK) == 0;
}

bool library_beside(const char *name, char *path, size_t capacity) {
    static const char *const folders[] = {"lib", RXPOOL_TOOL_LIBDIR};

    for (size_t i = 0; i < RXP_COUNT(folders); i++)
        if (beside_program(folders[i], name, path, capacity))
            return true;
    return false;
}
