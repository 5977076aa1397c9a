/*
 * rxpool run --fail: see fail.h. Each run is told in RXPOOL_OPTIONS what to fail, and writes the call
 * stack of what it failed into a file (fail_file=, rxpool(7)); what is new there since the last run is
 * what that run failed, by whatever process of the command.
 */
#define _GNU_SOURCE
#include "fail.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/options.h"
#include "places.h"
#include "symbols.h"
#include "tool.h"

#define PERCENT_RUNS 100  /* of a plan that has no end of its own */
#define PATIENCE 10.0     /* seconds that every run may take, and */
#define PATIENCE_TIMES 20 /* so many times what the command takes undisturbed */
#define SHOWN_MOST 16384  /* bytes of a crashed run's stderr */
#define STACKS_MOST OPTIONS_FAIL_STACKS_MOST

struct stack {
    char number[17];
    char site[640];
};

/* One run and how it ended. */
struct outcome {
    struct stack stack[STACKS_MOST]; /* what it failed, those that there is room for */
    unsigned stacks;                 /* how many it failed */
    int status;                      /* as waitpid tells it */
    bool overdue;                    /* killed: it took too long */
    bool ended;                      /* killed: no time is left, or a signal ended this program */
    char stop[128];                  /* the first line of its stop report; empty: none */
};

struct crash {
    unsigned run;
    char *words; /* how it ended */
    char *replay;
    struct crash *next;
};

struct session {
    const struct fail_plan *plan;
    const struct fail_command *command;
    enum options_fail mode;
    uint64_t number; /* of fail=N: the first run's */
    char file[64];   /* a file of our own, else empty */
    off_t file_read; /* bytes of it that are told already */
    int out;         /* takes the command's stderr */
    off_t stdin_at;  /* where stdin was at the start; -1: it cannot be rewound */
    double patience; /* seconds for one run; 0: for ever */
    double end;      /* on our clock; 0: never */
    bool interrupted;
    unsigned runs, stacks;
    struct crash *crashes, **last_crash;
};

static double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const char *file_of(const struct session *s) {
    return s->plan->file != NULL ? s->plan->file : s->file;
}

/* --- words -------------------------------------------------------------------------------------- */

static char *text_of(const char *format, ...) RXP_PRINTF(1, 2);

static char *text_of(const char *format, ...) {
    va_list arguments;
    char *text;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        abort();
    va_end(arguments);
    return text;
}

static bool plain_word(const char *word) {
    for (const char *c = word; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("=:,.@%_-/+", *c) == NULL)
            return false;
    return *word != '\0';
}

/* As a shell takes it for one word. */
static void put_word(FILE *out, const char *word) {
    if (plain_word(word)) {
        fputs(word, out);
        return;
    }
    putc('\'', out);
    for (const char *c = word; *c != '\0'; c++)
        fputs(*c == '\'' ? "'\\''" : (const char[]){*c, '\0'}, out);
    putc('\'', out);
}

static const char *signal_name(int number) {
    const char *name = sigabbrev_np(number);
    return name != NULL ? name : "a signal";
}

/* A shell, and many another program, ends so when what it ran was ended by a signal. */
static int signal_below(int status) {
    static const int faults[] = {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV};

    for (size_t i = 0; WIFEXITED(status) && i < RXP_COUNT(faults); i++)
        if (WEXITSTATUS(status) == 128 + faults[i])
            return faults[i];
    return 0;
}

static bool crashed(const struct outcome *o) {
    return !o->ended && (o->overdue || o->stop[0] != '\0' || WIFSIGNALED(o->status) ||
                         signal_below(o->status) != 0);
}

static char *ending_of(const struct outcome *o) {
    int below = signal_below(o->status);

    if (o->ended)
        return text_of("ended by rxpool, no time is left");
    if (o->overdue)
        return text_of("ended by rxpool, it took too long");
    if (o->stop[0] != '\0')
        return text_of("stop %s", o->stop);
    if (WIFSIGNALED(o->status))
        return text_of("SIG%s", signal_name(WTERMSIG(o->status)));
    if (below != 0)
        return text_of("exit status %d, as of SIG%s", WEXITSTATUS(o->status), signal_name(below));
    return text_of("exit status %d", WEXITSTATUS(o->status));
}

/* --- what a run is told ------------------------------------------------------------------------- */

/* What to fail in run `run`, as items of RXPOOL_OPTIONS; run 0 fails nothing. */
static char *items_of(const struct session *s, unsigned run) {
    const char *fail = s->plan->fail;

    if (run == 0)
        return text_of("fail=new-stack:fail_record=1");
    switch (s->mode) {
    case OPTIONS_FAIL_NTH:
        return text_of("fail=%llu", (unsigned long long)s->number + run - 1);
    case OPTIONS_FAIL_PERCENT:
        return text_of("fail=%s:fail_seed=%u", fail, run);
    case OPTIONS_FAIL_STACK:
        return text_of("fail=%s:fail_most=1", fail);
    default:
        return text_of("fail=%s", fail);
    }
}

static void set_options(const struct session *s, unsigned run) {
    const char *given = getenv("RXPOOL_OPTIONS");
    char *items = items_of(s, run);
    char *all = text_of("%s%s%s:fail_file=%s", given != NULL ? given : "",
                        given != NULL && given[0] != '\0' ? ":" : "", items, file_of(s));

    setenv("RXPOOL_OPTIONS", all, 1);
    free(items);
    free(all);
}

/* The command line that fails the same again. */
static char *replay_of(const struct session *s, const struct outcome *o) {
    const char *given = getenv("RXPOOL_OPTIONS");
    char *items = items_of(s, s->runs), *options, *replay = NULL;
    size_t size;
    FILE *out = open_memstream(&replay, &size);

    if (out == NULL)
        abort();
    if (s->mode == OPTIONS_FAIL_STACK && o->stacks != 0) {
        free(items);
        items = text_of("fail=");
        for (unsigned i = 0; i < o->stacks && i < STACKS_MOST; i++) {
            char *longer = text_of("%s%s@%s", items, i == 0 ? "" : ",", o->stack[i].number);
            free(items);
            items = longer;
        }
    }
    options = text_of("%s%s%s", given != NULL ? given : "",
                      given != NULL && given[0] != '\0' ? ":" : "", items);
    fputs("RXPOOL_OPTIONS=", out);
    put_word(out, options);
    fprintf(out, " rxpool run%s --", s->command->flags);
    for (char **word = s->command->words; *word != NULL; word++) {
        putc(' ', out);
        put_word(out, *word);
    }
    fclose(out);
    free(items);
    free(options);
    return replay;
}

/* --- one run ------------------------------------------------------------------------------------ */

static void become(const struct session *s, unsigned run, const sigset_t *mask) {
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (nowhere < 0 || (s->stdin_at < 0 && dup2(nowhere, STDIN_FILENO) < 0) ||
        dup2(nowhere, STDOUT_FILENO) < 0 || dup2(s->out, STDERR_FILENO) < 0)
        _exit(TOOL_CANNOT_RUN);
    setpgid(0, 0); /* what is ended is the command with all that it started */
    set_options(s, run);
    sigprocmask(SIG_SETMASK, mask, NULL);
    s->command->become(s->command->argument);
    _exit(TOOL_CANNOT_RUN);
}

/* Until the command ends or has to. */
static void await(struct session *s, pid_t pid, const sigset_t *waited, struct outcome *o) {
    double start = seconds_now();

    for (;;) {
        struct timespec step = {0, 200 * 1000 * 1000};
        double now = seconds_now();
        if (waitpid(pid, &o->status, WNOHANG) == pid)
            return;
        o->overdue = s->patience > 0 && now - start > s->patience;
        o->ended = s->interrupted || (s->end > 0 && now > s->end);
        if (o->overdue || o->ended) {
            kill(-pid, SIGKILL);
            waitpid(pid, &o->status, 0);
            return;
        }
        int number = sigtimedwait(waited, NULL, &step);
        s->interrupted |= number > 0 && number != SIGCHLD;
    }
}

/* The first line of a stop report, without its parameters, from what the command said. */
static void find_stop(struct session *s, struct outcome *o) {
    static const char begins[] = "*** STOP: ";
    char line[512];
    FILE *said = fdopen(dup(s->out), "r");

    if (said == NULL)
        return;
    rewind(said);
    while (o->stop[0] == '\0' && fgets(line, sizeof(line), said) != NULL) {
        if (strncmp(line, begins, strlen(begins)) == 0)
            snprintf(o->stop, sizeof(o->stop), "%.*s", (int)strcspn(line + strlen(begins), "(\n"),
                     line + strlen(begins));
    }
    fclose(said);
    while (o->stop[0] != '\0' && o->stop[strlen(o->stop) - 1] == ' ')
        o->stop[strlen(o->stop) - 1] = '\0';
}

/* What the run added to the file. */
static void find_stacks(struct session *s, struct outcome *o) {
    char *line = NULL;
    size_t capacity = 0;
    FILE *in = fopen(file_of(s), "re");

    if (in == NULL)
        return;
    if (fseeko(in, s->file_read, SEEK_SET) == 0) {
        while (getline(&line, &capacity, in) > 0) {
            struct stack stack;
            if (sscanf(line, "%16[0-9a-f] %639[^\n]", stack.number, stack.site) != 2)
                continue;
            if (o->stacks < STACKS_MOST)
                o->stack[o->stacks] = stack;
            o->stacks++;
        }
        s->file_read = ftello(in);
    }
    free(line);
    fclose(in);
}

static void run_once(struct session *s, unsigned run, struct outcome *o) {
    sigset_t waited, mask;

    *o = (struct outcome){0};
    if (ftruncate(s->out, 0) != 0 || lseek(s->out, 0, SEEK_SET) != 0 ||
        (s->stdin_at >= 0 && lseek(STDIN_FILENO, s->stdin_at, SEEK_SET) < 0))
        tool_message("run: %s", strerror(errno));
    if (s->mode != OPTIONS_FAIL_STACK && s->file[0] != '\0' && truncate(s->file, 0) == 0)
        s->file_read = 0; /* a stack that an earlier run failed is news again */
    sigemptyset(&waited);
    for (size_t i = 0; i < 5; i++)
        sigaddset(&waited, (const int[]){SIGCHLD, SIGTERM, SIGHUP, SIGINT, SIGQUIT}[i]);
    sigprocmask(SIG_BLOCK, &waited, &mask);
    pid_t pid = fork();
    if (pid == 0)
        become(s, run, &mask);
    if (pid > 0) {
        setpgid(pid, pid);
        await(s, pid, &waited, o);
    }
    s->interrupted |= pid < 0;
    sigprocmask(SIG_SETMASK, &mask, NULL);
    find_stop(s, o);
    find_stacks(s, o);
}

/* --- what is said ------------------------------------------------------------------------------- */

/* PATH+0xOFFSET by the name of its function, where that is known, and without its folder. */
static char *place_words(const char *place, size_t length) {
    char *path = text_of("%.*s", (int)length, place), *plus = strrchr(path, '+'), *name = NULL;
    const char *base = strrchr(path, '/');
    uint64_t offset = plus != NULL ? strtoull(plus + 1, NULL, 16) : 0;

    base = base != NULL ? base + 1 : path;
    if (plus != NULL && base != path) {
        *plus = '\0';
        name = place_name(path, offset);
        *plus = '+';
    }
    char *words =
        name != NULL ? text_of("%s (%s)", name, base) : text_of("%s", plus != NULL ? base : path);
    free(name);
    free(path);
    return words;
}

/* A library's call and whose it was are two places. */
static char *site_words(const char *site) {
    static const char between[] = " from ";
    const char *second = strstr(site, between);

    if (second == NULL)
        return place_words(site, strlen(site));
    char *first = place_words(site, (size_t)(second - site));
    char *rest = place_words(second + strlen(between), strlen(second + strlen(between)));
    char *both = text_of("%s%s%s", first, between, rest);
    free(first);
    free(rest);
    return both;
}

static char *failed_words(const struct outcome *o) {
    if (o->stacks == 0)
        return text_of("nothing failed");
    char *site = site_words(o->stack[0].site);
    char *words = o->stacks == 1 ? text_of("failed %s", site)
                                 : text_of("failed %s and %u more", site, o->stacks - 1);
    free(site);
    return words;
}

/* The end of what the run said, the places in its reports named. */
static void show_said(const struct session *s) {
    off_t length = lseek(s->out, 0, SEEK_END);
    FILE *said = fdopen(dup(s->out), "r");
    char *line = NULL;
    size_t capacity = 0;

    if (said == NULL)
        return;
    if (fseeko(said, length > SHOWN_MOST ? length - SHOWN_MOST : 0, SEEK_SET) == 0)
        while (getline(&line, &capacity, said) > 0)
            symbols_put_line(stderr, line);
    free(line);
    fclose(said);
}

static void note_crash(struct session *s, const struct outcome *o, const char *failed,
                       const char *ending) {
    struct crash *crash = calloc(1, sizeof(*crash));

    if (crash == NULL)
        abort();
    crash->run = s->runs;
    crash->words = text_of("%s: %s", failed, ending);
    crash->replay = replay_of(s, o);
    *s->last_crash = crash;
    s->last_crash = &crash->next;
    show_said(s);
}

static void tell(struct session *s, const struct outcome *o) {
    char *failed = failed_words(o), *ending = ending_of(o);

    s->stacks += o->stacks;
    tool_message("run %u: %s: %s", s->runs, failed, ending);
    if (crashed(o))
        note_crash(s, o, failed, ending);
    free(failed);
    free(ending);
}

static unsigned summarise(struct session *s, const char *why) {
    unsigned crashes = 0;

    for (struct crash *c = s->crashes; c != NULL; c = c->next)
        crashes++;
    tool_message("%u run%s, %u allocation%s failed, %u crash%s; %s", s->runs,
                 s->runs == 1 ? "" : "s", s->stacks, s->stacks == 1 ? "" : "s", crashes,
                 crashes == 1 ? "" : "es", why);
    while (s->crashes != NULL) {
        struct crash *c = s->crashes;
        tool_message("crash in run %u, %s", c->run, c->words);
        tool_message("replay: %s", c->replay);
        s->crashes = c->next;
        free(c->words);
        free(c->replay);
        free(c);
    }
    return crashes;
}

/* --- all of them -------------------------------------------------------------------------------- */

static void complain(const char *line) {
    tool_message("run: %s", line);
}

/* The mode, and how many runs it may take. False when the plan was refused. */
static bool read_plan(struct session *s, long *most) {
    struct options parsed;
    char *item = text_of("fail=%s", s->plan->fail);

    options_defaults(&parsed);
    bool valid = strchr(s->plan->fail, ':') == NULL && options_parse(&parsed, item, complain) == 0;
    if (strchr(s->plan->fail, ':') != NULL)
        tool_message("run: '%s' is no value for --fail; valid: N, P%%, new-stack, @HASH",
                     s->plan->fail);
    free(item);
    s->mode = parsed.fail;
    s->number = parsed.fail_number;
    *most = s->plan->runs;
    if (*most == 0 && s->mode != OPTIONS_FAIL_STACK)
        *most = s->mode == OPTIONS_FAIL_PERCENT ? PERCENT_RUNS : 1;
    return valid;
}

static bool open_files(struct session *s) {
    struct stat status;
    int own = -1;

    if (s->plan->file == NULL) {
        snprintf(s->file, sizeof(s->file), "/tmp/rxpool-fail-XXXXXX");
        if ((own = mkostemp(s->file, O_CLOEXEC)) < 0)
            return false;
        close(own);
    } else if (strchr(s->plan->file, ':') != NULL) {
        errno = EINVAL; /* it could not be said in RXPOOL_OPTIONS */
        return false;
    } else if (stat(s->plan->file, &status) == 0) {
        s->file_read = status.st_size;
    }
    s->out = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (s->out < 0) {
        char name[] = "/tmp/rxpool-said-XXXXXX";
        s->out = mkostemp(name, O_CLOEXEC);
        unlink(name);
    }
    return s->out >= 0;
}

/* How the command ends when nothing is failed, and how long it takes. */
static bool run_undisturbed(struct session *s) {
    struct outcome o;
    double start = seconds_now();

    run_once(s, 0, &o);
    s->patience = PATIENCE + PATIENCE_TIMES * (seconds_now() - start);
    char *ending = ending_of(&o);
    tool_message("run 0: nothing failed: %s", ending);
    free(ending);
    if (!crashed(&o) && !o.ended)
        return true;
    show_said(s);
    return false;
}

/* Answers why there was no further run. */
static const char *run_all(struct session *s, long most) {
    struct outcome o;

    while (most == 0 || (long)s->runs < most) {
        s->runs++;
        run_once(s, s->runs, &o);
        if (o.ended && o.stacks == 0)
            s->runs--;
        else
            tell(s, &o);
        if (o.ended)
            return s->interrupted ? "it was interrupted" : "no time is left";
        if (o.stacks == 0 && s->mode == OPTIONS_FAIL_STACK)
            return "no new call stack is left";
        if (o.stacks == 0 && s->mode == OPTIONS_FAIL_NTH)
            return "it has no more allocations";
        if (s->end > 0 && seconds_now() > s->end)
            return "no time is left";
    }
    return "that was the last one asked for";
}

int fail_runs(const struct fail_plan *plan, const struct fail_command *command) {
    struct session s = {.plan = plan, .command = command, .last_crash = &s.crashes};
    int status = 1;
    long most;

    if (!read_plan(&s, &most))
        return TOOL_USAGE;
    if (!open_files(&s)) {
        tool_message("run: --fail-file %s: %s", file_of(&s), strerror(errno));
        return TOOL_USAGE;
    }
    s.stdin_at = lseek(STDIN_FILENO, 0, SEEK_CUR);
    s.end = plan->seconds > 0 ? seconds_now() + plan->seconds : 0;
    if (run_undisturbed(&s))
        status = summarise(&s, run_all(&s, most)) != 0;
    else
        tool_message("run: the command has to end by itself when nothing is failed");
    if (s.file[0] != '\0')
        unlink(s.file);
    return status;
}
