/* The reports of a command: see reports.h. */
#define _GNU_SOURCE
#include "reports.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/base.h"
#include "base/options.h"
#include "symbols.h"
#include "tool.h"

#define PATH_BYTES sizeof(((struct options *)0)->report)
#define POLL_MS 50        /* where the system does not tell of a change */
#define WRITERS_TRIES 100 /* of POLL_MS, for those that are writing at the end */

static struct {
    char folder[PATH_BYTES], path[PATH_BYTES];
    int file, changes, ending; /* changes: -1 where there is no inotify */
    int held; /* the end of a pipe: when nobody holds it, who waits at the other removes the file */
    pthread_t thread;
    bool followed;
    char *line; /* one that is not whole yet */
    size_t length;
} reports = {.file = -1, .changes = -1, .ending = -1, .held = -1};

/* --- the file ---------------------------------------------------------------------------------- */

/* A folder that fits into an option's value, in $TMPDIR or else in /tmp. */
static bool make_folder(void) {
    const char *given = getenv("TMPDIR");
    const char *const parents[] = {given != NULL ? given : "/tmp", "/tmp"};

    for (size_t i = 0; i < RXP_COUNT(parents); i++) {
        if (parents[i][0] != '/' || strchr(parents[i], ':') != NULL ||
            strlen(parents[i]) + sizeof("/rxpool-XXXXXX/reports") > PATH_BYTES)
            continue;
        snprintf(reports.folder, PATH_BYTES, "%s/rxpool-XXXXXX", parents[i]);
        if (mkdtemp(reports.folder) != NULL)
            return true;
    }
    return false;
}

static void remove_files(void) {
    unlink(reports.path);
    rmdir(reports.folder);
}

/* In a process of its own, of no terminal: it ends with this one, or a moment later. */
static void wait_and_remove(int end) {
    char nothing;
    if (setsid() < 0)
        _exit(0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2 && null >= 0; fd++)
        dup2(null, fd);
    close(reports.held);
    while (read(end, &nothing, 1) < 0 && errno == EINTR)
        ;
    remove_files();
    _exit(0);
}

/* A process that is killed has no time to remove its files. */
static void have_them_removed(void) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return;
    reports.held = ends[1];
    if (fork() == 0)
        wait_and_remove(ends[0]);
    close(ends[0]);
}

bool reports_open(void) {
    if (!make_folder())
        return false;
    int n = snprintf(reports.path, PATH_BYTES, "%s/reports", reports.folder);
    if (n > 0 && (size_t)n < PATH_BYTES) {
        int made = open(reports.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (made >= 0)
            close(made);
        reports.file = open(reports.path, O_RDONLY | O_CLOEXEC);
    }
    if (reports.file >= 0) {
        have_them_removed();
        return true;
    }
    int error = errno;
    rmdir(reports.folder);
    errno = error;
    return false;
}

const char *reports_path(void) {
    return reports.path;
}

/* --- showing ----------------------------------------------------------------------------------- */

/* Keeps the bytes of a line until its end comes. */
static void keep(const char *bytes, size_t count) {
    char *grown = realloc(reports.line, reports.length + count + 1);
    if (grown == NULL)
        return;
    memcpy(grown + reports.length, bytes, count);
    reports.line = grown;
    reports.length += count;
    reports.line[reports.length] = '\0';
}

static void show_kept(void) {
    if (reports.length != 0)
        symbols_put_line(stderr, reports.line);
    reports.length = 0;
}

/* What was written since the last time; the lines of one reading stay together. */
static void show_new(void) {
    char bytes[4096];
    ssize_t got;

    flockfile(stderr);
    while ((got = read(reports.file, bytes, sizeof(bytes))) > 0) {
        for (char *at = bytes, *end = bytes + got; at < end;) {
            char *newline = memchr(at, '\n', (size_t)(end - at));
            char *next = newline != NULL ? newline + 1 : end;
            keep(at, (size_t)(next - at));
            if (newline != NULL)
                show_kept();
            at = next;
        }
    }
    funlockfile(stderr);
}

static void *follow(void *unused) {
    struct pollfd wait[] = {{.fd = reports.ending, .events = POLLIN},
                            {.fd = reports.changes, .events = POLLIN}};
    char event[sizeof(struct inotify_event) + NAME_MAX + 1];

    show_new(); /* what came before changes were told of */
    while ((wait[0].revents & POLLIN) == 0) {
        poll(wait, RXP_COUNT(wait), reports.changes >= 0 ? -1 : POLL_MS);
        while (reports.changes >= 0 && read(reports.changes, event, sizeof(event)) > 0)
            ;
        show_new();
    }
    return unused;
}

void reports_follow(void) {
    reports.ending = eventfd(0, EFD_CLOEXEC);
    reports.changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (reports.changes >= 0 && inotify_add_watch(reports.changes, reports.path, IN_MODIFY) < 0) {
        close(reports.changes);
        reports.changes = -1;
    }
    reports.followed =
        reports.ending >= 0 && pthread_create(&reports.thread, NULL, follow, NULL) == 0;
}

/* --- the end ----------------------------------------------------------------------------------- */

/*
 * Waits, though not for ever, for processes that opened the file while it was there: no lease is given
 * while somebody may write.
 */
static void wait_for_writers(void) {
    for (int i = 0; i < WRITERS_TRIES && fcntl(reports.file, F_SETLEASE, F_RDLCK) != 0 &&
                    (errno == EAGAIN || errno == EINTR);
         i++)
        usleep(POLL_MS * 1000);
}

void reports_close(void) {
    const uint64_t one = 1;

    if (reports.file < 0)
        return;
    if (reports.followed && write(reports.ending, &one, sizeof(one)) == (ssize_t)sizeof(one))
        pthread_join(reports.thread, NULL);
    unlink(reports.path);
    wait_for_writers();
    show_new();
    show_kept();
    remove_files();
    close(reports.held);
    close(reports.file);
    reports.file = -1;
}
