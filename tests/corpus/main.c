/*
 * PROGRAM CASE bad|good: runs one case. PROGRAM: lists the cases. On the descriptor that CORPUS_MARKS
 * names a byte tells how far it came: `e` the error was made, `c` the case is over, `x` exit begins;
 * behind the `x` stands the peak of the memory used, in KiB.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "corpus.h"

#define NEIGHBOURS 64

extern const struct corpus_case __start_corpus_cases[], __stop_corpus_cases[];

static volatile long used;
static void *kept;
static int marks = -1;

static void mark(char byte) {
    if (marks >= 0 && write(marks, &byte, 1) != 1)
        _exit(3);
}

void error_made(void) {
    mark('e');
}

void use(long value) {
    used += value;
}

void use_pointer(const void *p) {
    used += p != NULL;
}

static void free_kept(void) {
    free(kept);
}

void free_at_exit(void *p) {
    kept = p;
    atexit(free_kept);
}

struct work {
    void (*run)(void *argument);
    void *argument;
};

static void *work_run(void *argument) {
    struct work *work = argument;
    work->run(work->argument);
    return NULL;
}

void in_thread(void (*run)(void *argument), void *argument) {
    struct work work = {run, argument};
    pthread_t thread;
    if (pthread_create(&thread, NULL, work_run, &work) != 0)
        _exit(3);
    pthread_join(thread, NULL);
}

int sink(void) {
    return open("/dev/null", O_WRONLY);
}

int source(size_t size) {
    char bytes[4096];
    int end[2];
    memset(bytes, 'r', sizeof bytes);
    if (size > sizeof bytes || pipe(end) != 0 || write(end[1], bytes, size) != (ssize_t)size)
        _exit(3);
    close(end[1]);
    return end[0];
}

/* A heap that is not new: some blocks live, some places free. */
static void populate(void *block[NEIGHBOURS]) {
    for (int i = 0; i < NEIGHBOURS; i++)
        block[i] = malloc((size_t)(i % 8) * 24 + 8);
    for (int i = 0; i < NEIGHBOURS; i += 3) {
        free(block[i]);
        block[i] = NULL;
    }
}

/* Of this image alone: what getrusage answers begins with that of the process that started it. */
static void tell_peak(void) {
    char status[4096];
    int file = open("/proc/self/status", O_RDONLY);
    ssize_t length = file >= 0 ? read(file, status, sizeof status - 1) : -1;
    close(file);
    status[length > 0 ? length : 0] = '\0';
    for (const char *at = strstr(status, "VmHWM:"); at != NULL && *at != '\n'; at++) {
        if (*at >= '0' && *at <= '9')
            mark(*at);
    }
}

static int run(const struct corpus_case *c, int bad) {
    void *block[NEIGHBOURS];
    const char *descriptor = getenv("CORPUS_MARKS");
    marks = descriptor != NULL ? atoi(descriptor) : -1;
    populate(block);
    c->run(bad);
    mark('c');
    for (int i = 0; i < NEIGHBOURS; i++)
        free(block[i]);
    mark('x');
    tell_peak();
    return 0;
}

int main(int argc, char **argv) {
    for (const struct corpus_case *c = __start_corpus_cases; c < __stop_corpus_cases; c++) {
        if (argc < 3)
            puts(c->name);
        else if (strcmp(argv[1], c->name) == 0)
            return run(c, strcmp(argv[2], "bad") == 0);
    }
    return argc < 3 ? 0 : 2;
}
