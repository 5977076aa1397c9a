/* A test's part that answers a number: run in a child process, under options of its own. */
#ifndef RXPOOL_UNIT_ANSWER_H
#define RXPOOL_UNIT_ANSWER_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* For the child: cmocka's assertions are the parent's. */
#define MUST(e)                                                                                    \
    do {                                                                                           \
        if (!(e)) {                                                                                \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #e);                  \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* What the routine answers under RXPOOL_OPTIONS=`options`. */
static uint64_t in_child(const char *options, uint64_t (*routine)(void)) {
    int ends[2], status;
    uint64_t answer = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        setenv("RXPOOL_OPTIONS", options, 1);
        alarm(60);
        answer = routine();
        _exit(write(ends[1], &answer, sizeof answer) == (ssize_t)sizeof answer ? 0 : 1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &answer, sizeof answer), sizeof answer);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return answer;
}

#endif
