/* rxpool stat PID|CORE [--json] */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "modules.h"
#include "tool.h"

static const char valid[] = "rxpool stat PID|CORE [--json]";

static const struct argp_option options[] = {
    {"json", 'j', NULL, 0, "Print one JSON record instead of a table", 0},
    {0},
};

struct request {
    const char *target;
    bool json;
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct request *r = state->input;

    switch (key) {
    case 'j':
        r->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (r->target != NULL) {
            tool_message("stat: '%s' is one target too many; valid: %s", argument, valid);
            exit(TOOL_USAGE);
        }
        r->target = argument;
        return 0;
    case ARGP_KEY_NO_ARGS:
        tool_message("stat: which process or core file? valid: %s", valid);
        exit(TOOL_USAGE);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "PID|CORE",
    .doc = "Shows the pool table of a running process, which is not stopped, or of a core file. "
           "A core file whose name is a number is given as ./NUMBER.",
};

/* Digits are a process. */
static enum rxpool_stats_status open_target(const char *target, struct rxpool_stats **stats,
                                            struct modules **modules,
                                            struct rxpool_stats_error *error) {
    if (target[0] == '\0' || target[strspn(target, "0123456789")] != '\0') {
        *modules = modules_of_core(target);
        return rxpool_stats_open_core(target, stats, error);
    }
    errno = 0;
    unsigned long pid = strtoul(target, NULL, 10);
    if (errno != 0 || pid == 0 || pid > INT32_MAX) {
        tool_message("stat: '%s' is no process id; valid: 1 to %d, or a core file's name", target,
                     INT32_MAX);
        exit(TOOL_USAGE);
    }
    *modules = modules_of((pid_t)pid);
    return rxpool_stats_open_pid((pid_t)pid, stats, error);
}

int command_stat(int argc, char **argv) {
    struct request request = {0};
    struct rxpool_stats *stats;
    struct rxpool_stats_error error;
    struct modules *modules = NULL;

    tool_parse(&argp, argc, argv, valid, &request);
    enum rxpool_stats_status status = open_target(request.target, &stats, &modules, &error);
    if (status == RXPOOL_STATS_OK)
        status = rxpool_stats_read(stats, &error);
    if (status != RXPOOL_STATS_OK) {
        tool_message("%s", error.text);
        rxpool_stats_close(stats);
        modules_free(modules);
        return TOOL_UNREADABLE;
    }
    bool written = true;
    if (request.json)
        written = write_json(stdout, stats, modules);
    else
        show_table(stdout, stats, modules);
    rxpool_stats_close(stats);
    modules_free(modules);
    if (!written || fflush(stdout) != 0 || ferror(stdout)) {
        tool_message("the table cannot be written to standard output");
        return TOOL_FAILED;
    }
    return TOOL_OK;
}
