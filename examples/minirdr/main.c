/*
 * minirdr [DIR]: has the redirector read a directory tree, and shows what its pool did.
 * Exit status: 0 all that could be read is as the plain read has it, and nothing leaked; 1 otherwise;
 * 2 a usage error, or a DIR that cannot be opened.
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core.h"
#include "linux.h"

#define THREADS_MAX 64

struct arguments {
    const char *directory;
    unsigned threads;
};

/* --- progress ------------------------------------------------------------------------------------------ */

struct progress {
    const MINIRDR_STATISTICS *statistics;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
};

static void *progress_main(void *argument) {
    struct progress *progress = argument;
    const MINIRDR_STATISTICS *s = progress->statistics;

    pthread_mutex_lock(&progress->lock);
    while (!progress->stop) {
        struct timespec until;

        fprintf(stderr, "\r%lld files in %lld directories, %lld MB\033[K", (long long)s->FilesRead,
                (long long)s->Directories, (long long)(s->Bytes / 1000000));
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 100000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&progress->wake, &progress->lock, &until);
    }
    pthread_mutex_unlock(&progress->lock);
    fprintf(stderr, "\r\033[K");
    return NULL;
}

/* MinirdrRun, with a progress line where there is a terminal. */
static NTSTATUS run(struct linux_host *host, unsigned threads, MINIRDR_STATISTICS *statistics,
                    SIZE_T *leaks) {
    struct progress progress = {.statistics = statistics,
                                .lock = PTHREAD_MUTEX_INITIALIZER,
                                .wake = PTHREAD_COND_INITIALIZER};
    pthread_t thread;
    bool shown =
        isatty(STDERR_FILENO) && pthread_create(&thread, NULL, progress_main, &progress) == 0;
    NTSTATUS status = MinirdrRun(&host->host, threads, statistics, leaks);

    if (shown) {
        pthread_mutex_lock(&progress.lock);
        progress.stop = true;
        pthread_cond_signal(&progress.wake);
        pthread_mutex_unlock(&progress.lock);
        pthread_join(thread, NULL);
    }
    return status;
}

/* --- what came of it ------------------------------------------------------------------------------------ */

/* Whether the redirector found what a plain walk finds; a tree that others change proves nothing. */
static bool found_all(const struct linux_host *host, const char *directory, time_t since,
                      const MINIRDR_STATISTICS *s) {
    struct walk walk;

    if (host->name_too_long) {
        printf("not compared with a plain walk: some paths are too long for an NT name\n");
        return true;
    }
    if (!walk_tree(directory, since, &walk)) {
        fprintf(stderr, "minirdr: %s: plain walk: %s\n", directory, strerror(errno));
        return false;
    }
    if (walk.directories == (uint64_t)s->Directories && walk.files == (uint64_t)s->Files &&
        walk.links == (uint64_t)s->Links && walk.others == (uint64_t)s->Others)
        return true;
    printf("%s: a plain walk finds %s files, %s directories, %s links, %s others\n",
           walk.changed ? "tree changed meanwhile" : "DIFFERENT", grouped(walk.files),
           grouped(walk.directories), grouped(walk.links), grouped(walk.others));
    return walk.changed;
}

static double seconds_between(struct timespec from, struct timespec to) {
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

static int redirect(const struct arguments *arguments) {
    MINIRDR_STATISTICS statistics = {0};
    struct linux_host host;
    struct timespec start, end;
    time_t since = time(NULL);
    uint64_t operations;
    SIZE_T leaks = 0;
    NTSTATUS status;
    bool good;

    if (!linux_host_open(&host, arguments->directory)) {
        fprintf(stderr, "minirdr: %s: %s\n", arguments->directory, strerror(errno));
        return 2;
    }
    printf("reading %s on %u threads\n", arguments->directory, arguments->threads);
    fflush(stdout);
    clock_gettime(CLOCK_MONOTONIC, &start);
    status = run(&host, arguments->threads, &statistics, &leaks);
    clock_gettime(CLOCK_MONOTONIC, &end);
    if (!NT_SUCCESS(status))
        fprintf(stderr, "minirdr: %s: the redirector gave up: status 0x%08X\n",
                arguments->directory, (unsigned)status);
    linux_host_print_events(&host, stdout);
    good = found_all(&host, arguments->directory, since, &statistics);
    print_found(&statistics);
    good &= table_print(stdout, &operations);
    print_end(&statistics, leaks, seconds_between(start, end), operations);
    linux_host_close(&host);
    good &= NT_SUCCESS(status) && !host.resources_short && leaks == 0 &&
            statistics.Different == 0 && statistics.DamagedBlocks == 0;
    return good ? 0 : 1;
}

/* --- arguments -------------------------------------------------------------------------------------------- */

static error_t parse(int key, char *value, struct argp_state *state) {
    struct arguments *arguments = state->input;
    char *end;

    switch (key) {
    case 'j':
        arguments->threads = (unsigned)strtoul(value, &end, 10);
        if (*value < '0' || *value > '9' || *end != '\0' || arguments->threads == 0 ||
            arguments->threads > THREADS_MAX)
            argp_failure(state, 2, 0, "--threads=%s: not a number from 1 to %d", value,
                         THREADS_MAX);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num != 0)
            argp_failure(state, 2, 0, "%s: one DIR at most", value);
        arguments->directory = value;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int main(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"threads", 'j', "N", 0, "Worker threads (default: one for each processor, 2 at least)", 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "[DIR]",
        .doc = "Reads the tree under DIR (default: /usr/include) through a small redirector whose "
               "every byte comes from the checked pool.",
    };
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct arguments arguments = {
        .directory = "/usr/include",
        .threads = processors < 2    ? 2
                   : processors > 16 ? 16
                                     : (unsigned)processors,
    };

    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    return redirect(&arguments);
}
