#include "stops.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static size_t read_all(int fd, char *buffer, size_t capacity) {
    size_t length = 0;
    ssize_t got;

    while (length < capacity - 1 && (got = read(fd, buffer + length, capacity - 1 - length)) > 0)
        length += (size_t)got;
    buffer[length] = 0;
    return length;
}

void stop_run(struct stop_seen *seen, void (*misuse)(void *argument), void *argument) {
    int pipes[2], status;
    pid_t child;

    assert_int_equal(pipe(pipes), 0);
    fflush(NULL);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(pipes[1], STDERR_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        misuse(argument);
        _exit(0);
    }
    close(pipes[1]);
    read_all(pipes[0], seen->text, sizeof seen->text);
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    seen->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void assert_first_line(const struct stop_seen *seen, const char *line, size_t length) {
    if (strncmp(seen->text, line, length) != 0)
        fail_msg("expected the report to begin with\n%.*s\nbut it is\n%s", (int)length, line,
                 seen->text);
    assert_int_equal(seen->signal, SIGABRT);
}

void assert_stop(const struct stop_seen *seen, uint32_t code, const char *name, uint64_t p1,
                 uint64_t p2, uint64_t p3, uint64_t p4) {
    char line[256];
    int length = snprintf(line, sizeof line,
                          "*** STOP: 0x%08" PRIX32 " %s (0x%016" PRIX64 ", 0x%016" PRIX64
                          ", 0x%016" PRIX64 ", 0x%016" PRIX64 ")\n",
                          code, name, p1, p2, p3, p4);

    assert_first_line(seen, line, (size_t)length);
}

void assert_stop_caller(const struct stop_seen *seen, uint32_t code, const char *name, uint64_t p1,
                        uint64_t p2, uint64_t p3) {
    char line[256];
    int length = snprintf(line, sizeof line,
                          "*** STOP: 0x%08" PRIX32 " %s (0x%016" PRIX64 ", 0x%016" PRIX64
                          ", 0x%016" PRIX64 ", 0x",
                          code, name, p1, p2, p3);

    assert_first_line(seen, line, (size_t)length);
    assert_true(strtoull(seen->text + length, NULL, 16) != 0);
}

void assert_report(const struct stop_seen *seen, const char *line) {
    if (strstr(seen->text, line) == NULL)
        fail_msg("expected the report to contain\n%s\nbut it is\n%s", line, seen->text);
}
