#define _GNU_SOURCE
#include <argp.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

const char *argp_program_version = "rxpool " RXPOOL_TOOL_VERSION;

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", command_run},
    {"stat", command_stat},
    {"explain", command_explain},
};

static const char usage[] =
    "usage: rxpool run [--by module|site|tag] [--json FILE] [--every SECONDS] [--] COMMAND "
    "[ARGUMENT...]\n"
    "       rxpool stat PID|CORE [--json]\n"
    "       rxpool explain CODE [PARAMETER...]\n"
    "\n"
    "Who owns every byte of a program: run one on the pool, look at one that runs or at its core\n"
    "file, and read what a stop code means. `rxpool COMMAND --help` tells more, as does "
    "rxpool(1).\n";

void tool_message(const char *format, ...) {
    va_list arguments;

    fputs("rxpool: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

static const struct argp_option *find_option(const struct argp *argp, const char *name,
                                             size_t length) {
    for (const struct argp_option *o = argp->options; o != NULL && o->name != NULL; o++)
        if (strlen(o->name) == length && strncmp(o->name, name, length) == 0)
            return o;
    return NULL;
}

/* The first option that is unknown or lacks its value; argp does not tell which it was. */
static const char *bad_word(const struct argp *argp, int argc, char **argv) {
    for (int i = 1; i < argc && argv[i][0] == '-'; i++) {
        size_t length = strcspn(argv[i], "=");
        const struct argp_option *o =
            length > 2 ? find_option(argp, argv[i] + 2, length - 2) : NULL;
        if (o == NULL || (o->arg != NULL && argv[i][length] == '\0' && ++i == argc))
            return argv[i < argc ? i : argc - 1];
    }
    return argv[argc - 1];
}

/* argp's own complaints take two lines and do not say what is valid. */
void tool_parse(const struct argp *argp, int argc, char **argv, const char *valid, void *input) {
    if (argp_parse(argp, argc, argv, ARGP_IN_ORDER | ARGP_NO_ERRS, NULL, input) == 0)
        return;
    tool_message("%s: '%s' is not valid here, or lacks its value; valid: %s",
                 argv[0] + strlen("rxpool "), bad_word(argp, argc, argv), valid);
    exit(TOOL_USAGE);
}

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

int main(int argc, char **argv) {
    static char name[64];

    argp_err_exit_status = TOOL_USAGE;
    if (argc < 2) {
        fputs(usage, stderr);
        return TOOL_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        fputs(usage, stdout);
        return TOOL_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts(argp_program_version);
        return TOOL_OK;
    }
    for (size_t i = 0; i < RXP_COUNT(commands); i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        snprintf(name, sizeof(name), "rxpool %s", commands[i].name);
        argv[1] = name;
        return commands[i].run(argc - 1, argv + 1);
    }
    tool_message("'%s' is no command; valid: run, stat, explain", argv[1]);
    return TOOL_USAGE;
}
