/*
 * rxpool run on Windows: a command that links the pool's library, and its table when it ends.
 *
 * The library itself waits at the end of its process for whoever runs it to have looked
 * (plat/winuser_watch.h): a debugger's view of the end would change how the command runs. So an end
 * that the library does not hear of (a crash, TerminateProcess) leaves no table.
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "base/options.h"
#include "plat/winuser_watch.h"
#include "tool.h"

static const char valid[] = "rxpool run [--guard over|under|exact] [--json FILE] [--every SECONDS] "
                            "[--] COMMAND [ARGUMENT...]";

enum { KEY_GUARD = 256, KEY_JSON, KEY_EVERY };

static const struct argp_option options[] = {
    {"guard", KEY_GUARD, "over|under|exact", 0,
     "Give every block a guard page behind its end or in front of it, so that reads too stop there",
     0},
    {"json", KEY_JSON, "FILE", 0, "Write the final table to FILE as one JSON record too", 0},
    {"every", KEY_EVERY, "SECONDS", 0, "Print the table that often while the command runs", 0},
    {0},
};

struct run {
    const char *guard; /* the side, NULL for none */
    const char *json_name;
    double every; /* seconds, 0 for never */
    char **command;
    int index; /* of it among the words */
    FILE *json;

    PROCESS_INFORMATION process;
    HANDLE looking, ended; /* winuser_watch.h */
    struct rxpool_stats *final;
    struct rxpool_stats_error error;
};

/* --- the command line ------------------------------------------------------------------------- */

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct run *run = state->input;

    switch (key) {
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
        run->index = state->next - 1;
        run->command = &state->argv[run->index];
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        tool_message("run: which command? valid: %s", valid);
        exit(TOOL_USAGE);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "COMMAND [ARGUMENT...]",
    .doc = "Runs COMMAND, a program that links the pool's library, and prints the pool table on "
           "stderr when it ends."
           "\vThe exit status is COMMAND's own, 127 when there is no such command, 126 when it "
           "cannot be run, 2 for a usage error. RXPOOL_OPTIONS is passed on.",
};

static void complain(const char *line) {
    tool_message("run: %s", line);
}

/* --- starting --------------------------------------------------------------------------------- */

/* A later item wins: the user's own, the command line's. */
static bool set_environment(const struct run *run, const char *given) {
    size_t size = strlen(given) + sizeof(":special=*:special_side=") + 8;
    char *value = run->guard != NULL ? malloc(size) : NULL;

    if (run->guard == NULL)
        return true;
    if (value == NULL)
        return false;
    snprintf(value, size, "%s%sspecial=*:special_side=%s", given, given[0] != '\0' ? ":" : "",
             run->guard);
    bool set = SetEnvironmentVariableA("RXPOOL_OPTIONS", value);
    free(value);
    return set;
}

/* Behind one word of a command line and the blanks that follow it, as the C runtime reads them. */
static wchar_t *skip_word(wchar_t *p) {
    bool quoted = false;

    for (unsigned slashes = 0; *p != L'\0' && (quoted || (*p != L' ' && *p != L'\t')); p++) {
        if (*p == L'"' && slashes % 2 == 0)
            quoted = !quoted;
        slashes = *p == L'\\' ? slashes + 1 : 0;
    }
    while (*p == L' ' || *p == L'\t')
        p++;
    return p;
}

/* The command's own words as they were written. */
static wchar_t *command_line(int words) {
    wchar_t *p = GetCommandLineW();

    while (words-- > 0)
        p = skip_word(p);
    return p;
}

static int not_run(const struct run *run, DWORD error) {
    char text[256] = "";

    if (error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND) {
        tool_message("run: %s: no such command", run->command[0]);
        return TOOL_NOT_FOUND;
    }
    FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, error, 0, text,
                   sizeof(text), NULL);
    text[strcspn(text, "\r\n")] = '\0';
    tool_message("run: %s cannot be run: %s (Windows error %lu)", run->command[0], text, error);
    return TOOL_CANNOT_RUN;
}

/* What the command's library will look for is there before its first instruction. */
static bool start(struct run *run) {
    STARTUPINFOW how = {.cb = sizeof(how)};
    char name[WINUSER_WATCH_NAME];

    if (!CreateProcessW(NULL, command_line(run->index + 1), NULL, NULL, TRUE, CREATE_SUSPENDED,
                        NULL, NULL, &how, &run->process))
        return false;
    winuser_watch_name(name, WINUSER_WATCH_LOOKING, run->process.dwProcessId);
    run->looking = CreateMutexA(NULL, TRUE, name);
    winuser_watch_name(name, WINUSER_WATCH_ENDED, run->process.dwProcessId);
    run->ended = CreateEventA(NULL, FALSE, FALSE, name);
    return ResumeThread(run->process.hThread) != (DWORD)-1;
}

/* The terminal tells the command too, which is the one to act on it. */
static BOOL WINAPI on_control(DWORD event) {
    return event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT;
}

/* --- watching --------------------------------------------------------------------------------- */

static struct rxpool_stats *read_table(struct run *run) {
    struct rxpool_stats *stats;

    if (rxpool_stats_open_pid((pid_t)run->process.dwProcessId, &stats, &run->error) !=
        RXPOOL_STATS_OK)
        return NULL;
    if (rxpool_stats_read(stats, &run->error) == RXPOOL_STATS_OK)
        return stats;
    rxpool_stats_close(stats);
    return NULL;
}

static void show_periodic(struct run *run, ULONGLONG start_ms) {
    struct rxpool_stats *stats = read_table(run);

    if (stats == NULL)
        return; /* it has not allocated yet: the next or the final one tells */
    fprintf(stderr, "rxpool: %s (%lu) after %.1f s\n", run->command[0], run->process.dwProcessId,
            (double)(GetTickCount64() - start_ms) / 1000);
    show_table(stderr, stats, NULL);
    rxpool_stats_close(stats);
}

/* Until the command ends. */
static void watch(struct run *run) {
    const HANDLE handles[] = {run->process.hProcess, run->ended};
    ULONGLONG start_ms = GetTickCount64(), due = (ULONGLONG)(run->every * 1000);
    DWORD got;

    do {
        ULONGLONG passed = GetTickCount64() - start_ms;
        DWORD rest = run->every == 0 ? INFINITE : passed < due ? (DWORD)(due - passed) : 0;
        got = WaitForMultipleObjects(run->ended != NULL ? 2 : 1, handles, FALSE, rest);
        if (got == WAIT_OBJECT_0 + 1) {
            rxpool_stats_close(run->final);
            run->final = read_table(run);
            ReleaseMutex(run->looking);
        } else if (got == WAIT_TIMEOUT) {
            show_periodic(run, start_ms);
            due = GetTickCount64() - start_ms + (ULONGLONG)(run->every * 1000);
        }
    } while (got == WAIT_OBJECT_0 + 1 || got == WAIT_TIMEOUT);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void report_end(struct run *run) {
    if (run->final == NULL) {
        tool_message("no table of %s (%lu): %s", run->command[0], run->process.dwProcessId,
                     run->error.status == RXPOOL_STATS_NO_POOL
                         ? "it ended with no pool: it never allocated"
                         : "it links no pool, or ended by a fault or by force");
    } else {
        fprintf(stderr, "rxpool: %s (%lu) at its end\n", run->command[0], run->process.dwProcessId);
        show_table(stderr, run->final, NULL);
    }
    if (run->json == NULL)
        return;
    if (run->final != NULL && !write_json(run->json, run->final, NULL))
        tool_message("run: %s: the table cannot be written: %s", run->json_name, strerror(errno));
    fclose(run->json);
}

static int run_command(struct run *run) {
    DWORD status = TOOL_FAILED;

    SetConsoleCtrlHandler(on_control, TRUE);
    if (!start(run))
        return not_run(run, GetLastError());
    watch(run);
    GetExitCodeProcess(run->process.hProcess, &status);
    report_end(run);
    rxpool_stats_close(run->final);
    return (int)status;
}

int command_run(int argc, char **argv) {
    static struct run run;
    struct options checked;
    const char *given = getenv("RXPOOL_OPTIONS");

    tool_parse(&argp, argc, argv, valid, &run);
    options_defaults(&checked);
    if (given != NULL && options_parse(&checked, given, complain) > 0)
        return TOOL_USAGE;
    if (run.json_name != NULL && (run.json = fopen(run.json_name, "wb")) == NULL) {
        tool_message("run: --json %s: %s", run.json_name, strerror(errno));
        return TOOL_USAGE;
    }
    if (!set_environment(&run, given != NULL ? given : "")) {
        tool_message("run: short of memory for RXPOOL_OPTIONS");
        return TOOL_FAILED;
    }
    return run_command(&run);
}
