/* The command on Windows: what it offers, and where its files are. */
#include <string.h>
#include <windows.h>

#include "tool.h"

/* Of the C runtime: words are what the command line has, and nothing in them stands for names of files. */
int _dowildcard = 0;

const struct tool_command tool_commands[] = {
    {"run", command_run},
    {"stat", command_stat},
    {"explain", command_explain},
    {NULL, NULL},
};

const char tool_usage[] =
    "usage: rxpool run [--guard over|under|exact] [--json FILE] [--every SECONDS] [--] COMMAND "
    "[ARGUMENT...]\n"
    "       rxpool stat PID [--json]\n"
    "       rxpool explain CODE [PARAMETER...]\n"
    "\n"
    "Who owns every byte of a program that links the pool's library: run one, look at one that "
    "runs, and\n"
    "read what a stop code means. `rxpool COMMAND --help` tells more.\n";

bool beside_program(const char *folder, const char *name, char *path, size_t capacity) {
    char self[MAX_PATH];
    DWORD length = GetModuleFileNameA(NULL, self, sizeof(self));

    if (length == 0 || length >= sizeof(self))
        return false;
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(self, '\\');
        if (slash == NULL)
            return false;
        *slash = '\0';
    }
    int n = snprintf(path, capacity, "%s/%s/%s", self, folder, name);
    return n > 0 && (size_t)n < capacity && GetFileAttributesA(path) != INVALID_FILE_ATTRIBUTES;
}
