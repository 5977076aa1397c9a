/*
 * rxpool run: a command on the pool, and its table when it ends.
 *
 * The table is read at the last moment at which the command's memory is there: this process is its
 * tracer, for the sake of one event, PTRACE_EVENT_EXIT. It comes for every end alike (exit, _exit,
 * a signal, SIGKILL too), behind every exit handler and destructor, and asks nothing of the
 * command. The price: signals to the command's main thread pass through here, no debugger can
 * attach to it, and a program that it replaces itself with gains no privileges. Its children are
 * not traced. Where the system refuses tracing, the command prints its own table (stats=exit).
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/options.h"
#include "fail.h"
#include "modules.h"
#include "reports.h"
#include "tool.h"

#define LIBRARY "librxpool-malloc.so"

static const char valid[] =
    "rxpool run [--by module|site|tag] [--checked] [--guard over|under|exact] [--json FILE] "
    "[--every SECONDS] [--fail N|P%|new-stack|@HASH [--fail-file FILE] [--runs N] [--seconds S]] "
    "[--] COMMAND [ARGUMENT...]";

enum {
    KEY_BY = 256,
    KEY_CHECKED,
    KEY_GUARD,
    KEY_JSON,
    KEY_EVERY,
    KEY_FAIL,
    KEY_FILE,
    KEY_RUNS,
    KEY_SECONDS
};

static const struct argp_option options[] = {
    {"by", KEY_BY, "module|site|tag", 0,
     "What a row stands for: the calling module (default), the call site, or "
     "the tag alone",
     0},
    {"checked", KEY_CHECKED, NULL, 0,
     "Give every block a header, guards and a record, and stop at the first misuse", 0},
    {"guard", KEY_GUARD, "over|under|exact", 0,
     "Give every block a guard page behind its end or in front of it, so that reads too stop there",
     0},
    {"json", KEY_JSON, "FILE", 0, "Write the final table to FILE as one JSON record too", 0},
    {"every", KEY_EVERY, "SECONDS", 0, "Print the table that often while the command runs", 0},
    {"fail", KEY_FAIL, "N|P%|new-stack|@HASH", 0,
     "Run it again and again with other allocations failed, and say which of them it did not stand",
     0},
    {"fail-file", KEY_FILE, "FILE", 0,
     "Keep in FILE which call stacks were failed, and go on there", 0},
    {"runs", KEY_RUNS, "N", 0, "No more runs than that", 0},
    {"seconds", KEY_SECONDS, "S", 0, "No more runs after so long", 0},
    {0},
};

struct run {
    const char *by;
    bool checked;
    const char *guard; /* the side, NULL for none */
    const char *json_name;
    FILE *json;
    double every; /* seconds, 0 for never */
    struct fail_plan fail;
    char **command;
    char library[PATH_MAX];
    bool own_reports; /* they come by way of reports.h */

    pid_t pid;
    bool traced;
    struct rxpool_stats *final; /* read at the end; NULL when it could not be */
    struct modules *modules;    /* of that moment */
    struct rxpool_stats_error error;
};

/* --- the command line ------------------------------------------------------------------------- */

static long parse_runs(const char *s) {
    char *end;
    long runs = strtol(s, &end, 10);

    if (*s == '\0' || *end != '\0' || runs < 1)
        tool_bad_value("--runs", s, "a number from 1 up");
    return runs;
}

/* Words that are about failing. */
static error_t parse_fail(int key, const char *argument, struct fail_plan *plan) {
    switch (key) {
    case KEY_FAIL:
        plan->fail = argument;
        return 0;
    case KEY_FILE:
        plan->file = argument;
        return 0;
    case KEY_RUNS:
        plan->runs = parse_runs(argument);
        return 0;
    case KEY_SECONDS:
        plan->seconds = tool_seconds("--seconds", argument);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct run *run = state->input;

    switch (key) {
    case KEY_BY:
        if (strcmp(argument, "module") != 0 && strcmp(argument, "site") != 0 &&
            strcmp(argument, "tag") != 0)
            tool_bad_value("--by", argument, "module, site, tag");
        run->by = argument;
        return 0;
    case KEY_CHECKED:
        run->checked = true;
        return 0;
    case KEY_GUARD:
        run->guard = tool_side(argument);
        return 0;
    case KEY_JSON:
        run->json_name = argument;
        return 0;
    case KEY_EVERY:
        run->every = tool_seconds("--every", argument);
        return 0;
    case ARGP_KEY_ARG:
        run->command = &state->argv[state->next - 1];
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        tool_message("run: which command? valid: %s", valid);
        exit(TOOL_USAGE);
    default:
        return parse_fail(key, argument, &run->fail);
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "COMMAND [ARGUMENT...]",
    .doc = "Runs COMMAND with its malloc, free, new and delete on the pool, and prints the pool "
           "table on stderr when "
           "it ends."
           "\vThe exit status is COMMAND's own, 128 + N when signal N ended it, 127 when there is "
           "no such command, "
           "126 when it cannot be run or not on the pool, 2 for a usage error. RXPOOL_OPTIONS is "
           "passed on.",
};

/* --- what the command gets -------------------------------------------------------------------- */

static void complain(const char *line) {
    tool_message("run: %s", line);
}

static bool find_library(struct run *run) {
    const char *folder = getenv("RXPOOL_LIB_DIR");

    if (folder != NULL)
        snprintf(run->library, sizeof(run->library), "%s/" LIBRARY, folder);
    else if (!library_beside(LIBRARY, run->library, sizeof(run->library)))
        run->library[0] = '\0';
    if (run->library[0] != '\0' && access(run->library, R_OK) == 0 && !strpbrk(run->library, " :"))
        return true;
    tool_message("run: %s is not in %s, or blanks or colons are in its path; RXPOOL_LIB_DIR names "
                 "its folder",
                 LIBRARY, folder != NULL ? folder : "../lib beside this program");
    return false;
}

/* Sets NAME to the parts that are not empty, joined by colons. */
static void set_joined(const char *name, const char *const parts[], size_t count) {
    size_t size = 1;
    char *value;

    for (size_t i = 0; i < count; i++)
        size += strlen(parts[i]) + 1;
    value = calloc(1, size);
    if (value == NULL)
        _exit(TOOL_FAILED);
    for (size_t i = 0; i < count; i++) {
        if (value[0] != '\0' && parts[i][0] != '\0')
            strcat(value, ":");
        strcat(value, parts[i]);
    }
    setenv(name, value, 1);
    free(value);
}

/* A later item wins: the default, the user's own, the command line's. */
static void set_environment(const struct run *run) {
    const char *preload = getenv("LD_PRELOAD"), *given = getenv("RXPOOL_OPTIONS");
    char by[16] = "", guard[40] = "", report[sizeof(((struct options *)0)->report) + 16] = "";

    if (run->by != NULL)
        snprintf(by, sizeof(by), "by=%s", run->by);
    if (run->guard != NULL)
        snprintf(guard, sizeof(guard), "special=*:special_side=%s", run->guard);
    if (run->own_reports)
        snprintf(report, sizeof(report), "report=%s", reports_path());
    set_joined("LD_PRELOAD", (const char *const[]){run->library, preload ? preload : ""}, 2);
    set_joined("RXPOOL_OPTIONS",
               (const char *const[]){"by=module", given ? given : "", by,
                                     run->checked ? "checked=1" : "", guard,
                                     run->traced ? "" : "stats=exit", report},
               7);
}

/* --- starting --------------------------------------------------------------------------------- */

/*
 * The child: waits to be told whether it is traced, then becomes the command. `failed` takes an
 * errno.
 */
static void become_command(struct run *run, int ready, int failed, const sigset_t *mask) {
    char traced;

    if (read(ready, &traced, 1) != 1)
        _exit(TOOL_FAILED);
    run->traced = traced == 'y';
    set_environment(run);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(run->command[0], run->command);
    int error = errno;
    if (write(failed, &error, sizeof(error)) != (ssize_t)sizeof(error))
        _exit(TOOL_FAILED);
    _exit(error == ENOENT ? TOOL_NOT_FOUND : TOOL_CANNOT_RUN);
}

/* 0 when the command runs; else the errno of what was refused, and the child is gone. */
static int start_command(struct run *run, const sigset_t *mask) {
    int ready[2], failed[2], error = 0;

    if (pipe2(ready, O_CLOEXEC) != 0 || pipe2(failed, O_CLOEXEC) != 0 || (run->pid = fork()) < 0)
        return errno;
    if (run->pid == 0) {
        close(ready[1]); /* so that the end of the parent shows */
        close(failed[0]);
        become_command(run, ready[0], failed[1], mask);
    }
    close(ready[0]);
    close(failed[1]);
    run->traced = ptrace(PTRACE_SEIZE, run->pid, NULL, PTRACE_O_TRACEEXIT) == 0;
    /* A child that is gone already shows by the end of `failed`. */
    if (write(ready[1], run->traced ? "y" : "n", 1) != 1 ||
        read(failed[0], &error, sizeof(error)) != (ssize_t)sizeof(error))
        error = 0;
    close(ready[1]);
    close(failed[0]);
    return error;
}

/* --- watching --------------------------------------------------------------------------------- */

static struct rxpool_stats *read_table(struct run *run) {
    struct rxpool_stats *stats;

    if (rxpool_stats_open_pid(run->pid, &stats, &run->error) != RXPOOL_STATS_OK)
        return NULL;
    if (rxpool_stats_read(stats, &run->error) == RXPOOL_STATS_OK)
        return stats;
    rxpool_stats_close(stats);
    return NULL;
}

static void take_final_table(struct run *run) {
    rxpool_stats_close(run->final);
    modules_free(run->modules);
    run->final = read_table(run);
    run->modules = modules_of(run->pid);
}

static bool stopping_signal(int number) {
    return number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}

/*
 * One stop of the traced command: a stop of job control is kept, a signal passed on, an end looked
 * at.
 */
static void handle_stop(struct run *run, int status) {
    int number = WSTOPSIG(status), event = status >> 16;

    if (event == PTRACE_EVENT_EXIT)
        take_final_table(run);
    if (event == PTRACE_EVENT_STOP && stopping_signal(number))
        ptrace(PTRACE_LISTEN, run->pid, NULL, NULL);
    else
        ptrace(PTRACE_CONT, run->pid, NULL, (void *)(intptr_t)(event == 0 ? number : 0));
}

static struct timespec now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t;
}

static void show_periodic(struct run *run, const struct timespec *start) {
    struct timespec t = now();
    struct rxpool_stats *stats = read_table(run);

    if (stats == NULL)
        return; /* not started yet, or just ended: the next or the final one tells */
    struct modules *modules = modules_of(run->pid);
    flockfile(stderr); /* reports come from another thread */
    fprintf(stderr, "rxpool: %s (%d) after %.1f s\n", run->command[0], (int)run->pid,
            (double)(t.tv_sec - start->tv_sec) + (double)(t.tv_nsec - start->tv_nsec) / 1e9);
    show_table(stderr, stats, modules);
    funlockfile(stderr);
    modules_free(modules);
    rxpool_stats_close(stats);
}

/*
 * Until the command ends; its wait status. SIGINT and SIGQUIT come from the terminal to the command
 * as well and are for it to act on; SIGTERM and SIGHUP, sent here, are passed on.
 */
static int watch(struct run *run, const sigset_t *waited) {
    struct timespec start = now(), left;
    double due = run->every;
    int status;

    for (;;) {
        pid_t got = waitpid(run->pid, &status, WNOHANG | __WALL);
        if (got == run->pid && (WIFEXITED(status) || WIFSIGNALED(status)))
            return status;
        if (got == run->pid && WIFSTOPPED(status)) {
            handle_stop(run, status);
            continue;
        }
        struct timespec t = now();
        double passed =
            (double)(t.tv_sec - start.tv_sec) + (double)(t.tv_nsec - start.tv_nsec) / 1e9;
        if (run->every > 0 && passed >= due) {
            show_periodic(run, &start);
            due = passed + run->every;
            continue;
        }
        double rest = run->every > 0 ? due - passed : 3600;
        left = (struct timespec){(time_t)rest, (long)((rest - (double)(time_t)rest) * 1e9)};
        int number = sigtimedwait(waited, NULL, &left);
        if (number == SIGTERM || number == SIGHUP)
            kill(run->pid, number);
    }
}

/* --- the end ---------------------------------------------------------------------------------- */

static const char *why_no_table(const struct run *run) {
    if (!run->traced)
        return "this process may not trace it; its own is above";
    if (run->error.status == RXPOOL_STATS_NO_POOL)
        return "it ended with no pool: it never allocated, or its loader took no library from here";
    return run->error.text;
}

static void report_end(struct run *run) {
    if (run->final == NULL) {
        tool_message("no table of %s (%d): %s", run->command[0], (int)run->pid, why_no_table(run));
    } else {
        fprintf(stderr, "rxpool: %s (%d) at its end\n", run->command[0], (int)run->pid);
        show_table(stderr, run->final, run->modules);
    }
    if (run->json == NULL)
        return;
    if (run->final != NULL && !write_json(run->json, run->final, run->modules))
        tool_message("run: %s: the table cannot be written: %s", run->json_name, strerror(errno));
    fclose(run->json);
}

static int run_command(struct run *run) {
    sigset_t waited, mask;

    sigemptyset(&waited);
    for (size_t i = 0; i < 5; i++)
        sigaddset(&waited, (const int[]){SIGCHLD, SIGTERM, SIGHUP, SIGINT, SIGQUIT}[i]);
    sigprocmask(SIG_BLOCK, &waited, &mask);
    int error = start_command(run, &mask);
    if (run->own_reports)
        reports_follow();
    int status = run->pid > 0 ? watch(run, &waited) : 0;
    if (run->own_reports)
        reports_close();
    if (error != 0 || run->pid < 0) {
        tool_message("run: %s cannot be run: %s", run->command[0], strerror(error));
        return error == ENOENT ? TOOL_NOT_FOUND : TOOL_CANNOT_RUN;
    }
    report_end(run);
    rxpool_stats_close(run->final);
    modules_free(run->modules);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* --- failing --------------------------------------------------------------------------------- */

static void become_failing(void *argument) {
    struct run *run = argument;

    run->traced = true; /* no table of each run */
    set_environment(run);
    execvp(run->command[0], run->command);
    tool_message("run: %s cannot be run: %s", run->command[0], strerror(errno));
}

/* No word without effect. */
static void check_fail_words(const struct run *run) {
    const struct fail_plan *p = &run->fail;
    const char *odd = NULL;

    if (p->fail == NULL && (p->file != NULL || p->runs != 0 || p->seconds != 0))
        odd = "--fail-file, --runs and --seconds need --fail";
    else if (p->fail != NULL && (run->json_name != NULL || run->every != 0))
        odd = "--json and --every go without --fail, which shows no table";
    if (odd == NULL)
        return;
    tool_message("run: %s; valid: %s", odd, valid);
    exit(TOOL_USAGE);
}

static int run_failing(struct run *run) {
    char flags[64];

    snprintf(flags, sizeof(flags), "%s%s%s%s%s", run->checked ? " --checked" : "",
             run->guard != NULL ? " --guard " : "", run->guard != NULL ? run->guard : "",
             run->by != NULL ? " --by " : "", run->by != NULL ? run->by : "");
    return fail_runs(&run->fail,
                     &(const struct fail_command){run->command, flags, become_failing, run});
}

int command_run(int argc, char **argv) {
    static struct run run;
    struct options checked;
    const char *given = getenv("RXPOOL_OPTIONS");

    tool_parse(&argp, argc, argv, valid, &run);
    check_fail_words(&run);
    options_defaults(&checked);
    if (given != NULL && options_parse(&checked, given, complain) > 0)
        return TOOL_USAGE;
    int status = check_program(run.command[0]);
    if (status != TOOL_OK)
        return status;
    if (!find_library(&run))
        return TOOL_CANNOT_RUN;
    if (run.fail.fail != NULL)
        return run_failing(&run);
    if (run.json_name != NULL && (run.json = fopen(run.json_name, "we")) == NULL) {
        tool_message("run: --json %s: %s", run.json_name, strerror(errno));
        return TOOL_USAGE;
    }
    /* A file that the user names is theirs. */
    run.own_reports = checked.report[0] == '\0' && reports_open();
    if (!run.own_reports && checked.report[0] == '\0')
        tool_message("run: reports come without symbols: no file for them in $TMPDIR or /tmp: %s",
                     strerror(errno));
    return run_command(&run);
}
