/* A test's part that ends in a report: run in a child process whose stderr is read. */
#ifndef RXPOOL_UNIT_CHILD_H
#define RXPOOL_UNIT_CHILD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char said[1 << 16];

/* Runs `body` under RXPOOL_OPTIONS=`options`; answers its wait status, and in `said` what it said. */
static int run(void (*body)(void), const char *options) {
    int ends[2], status;
    size_t used = 0;
    ssize_t n;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        setenv("RXPOOL_OPTIONS", options, 1);
        dup2(ends[1], 2);
        close(ends[0]);
        body();
        _exit(0);
    }
    close(ends[1]);
    while ((n = read(ends[0], said + used, sizeof said - 1 - used)) > 0)
        used += (size_t)n;
    said[used] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static inline unsigned times_said(const char *what) {
    unsigned times = 0;
    for (const char *at = said; (at = strstr(at, what)) != NULL; at += strlen(what))
        times++;
    return times;
}

#endif
