/*
 * Every reservation and every commit of our own refused once, and all from each on: the program runs
 * itself again and again, and the linker puts the functions below in front of plat's (--wrap). No run may
 * end otherwise than in order, or say anything but notes.
 *
 * Nothing here allocates: under the drop-in that would be part of what is tested.
 */
#include "refuse.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void *__real_plat_reserve(size_t size, size_t align);
bool __real_plat_commit(void *address, size_t size);
void *__wrap_plat_reserve(size_t size, size_t align);
bool __wrap_plat_commit(void *address, size_t size);

static _Atomic long calls;

/* REFUSE=N: the Nth call; REFUSE=N+: that and all behind it. */
static bool refused(void) {
    const char *spec = getenv("REFUSE");
    char *end;
    long call = atomic_fetch_add(&calls, 1) + 1, first = spec != NULL ? strtol(spec, &end, 10) : 0;
    return first != 0 && (call == first || (call > first && *end == '+'));
}

void *__wrap_plat_reserve(size_t size, size_t align) {
    return refused() ? NULL : __real_plat_reserve(size, align);
}

bool __wrap_plat_commit(void *address, size_t size) {
    return !refused() && __real_plat_commit(address, size);
}

void *refuse_touch(void *pointer, unsigned long size) {
    return pointer != NULL ? memset(pointer, 0x5A, size) : NULL;
}

static void say(const char *text) {
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        _exit(3);
}

/* --- the one that is refused memory ------------------------------------------------------------- */

static int run_work(void) {
    const char *broken = refuse_work();
    char line[64];

    if (broken != NULL) {
        say(broken);
        say(" does not hold\n");
        return 2;
    }
    snprintf(line, sizeof line, "calls: %ld\n", atomic_load(&calls));
    say(line);
    return 0;
}

/* --- the one that runs it ----------------------------------------------------------------------- */

struct seen {
    int status;
    char text[16384];
};

static void run_again(const char *self, const char *refuse, struct seen *seen) {
    int ends[2];
    size_t length = 0;
    ssize_t got;

    if (pipe(ends) != 0)
        exit(3);
    pid_t pid = fork();
    if (pid == 0) {
        setenv("REFUSE", refuse, 1);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        alarm(60);
        execl(self, self, "work", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    while ((got = read(ends[0], seen->text + length, sizeof seen->text - 1 - length)) > 0)
        length += (size_t)got;
    seen->text[length] = '\0';
    close(ends[0]);
    waitpid(pid, &seen->status, 0);
}

/* Counts the notes; false when a line is none, nor the last one. */
static bool only_notes(const char *text, unsigned *notes) {
    while (*text != '\0') {
        if (strncmp(text, "rxpool: ", 8) == 0 || strncmp(text, "not searched: ", 14) == 0)
            ++*notes;
        else if (strncmp(text, "calls: ", 7) != 0)
            return false;
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    return true;
}

/* Answers how many runs were needed, 0 when one was not as it should be. */
static unsigned refuse_each(const char *self, const char *suffix, unsigned *notes) {
    static struct seen seen;
    char refuse[32];

    for (unsigned n = 1; n < 10000; n++) {
        snprintf(refuse, sizeof refuse, "%u%s", n, suffix);
        run_again(self, refuse, &seen);
        if (seen.status != 0 || !only_notes(seen.text, notes)) {
            printf("REFUSE=%s: status 0x%x\n%s", refuse, (unsigned)seen.status, seen.text);
            return 0;
        }
        const char *made = strstr(seen.text, "calls: ");
        if (made == NULL || strtoul(made + 7, NULL, 10) < n)
            return n;
    }
    return 0;
}

int main(int argc, char **argv) {
    unsigned notes = 0;

    if (argc > 1 && strcmp(argv[1], "work") == 0)
        return run_work();
    unsigned once = refuse_each("/proc/self/exe", "", &notes);
    unsigned all = once != 0 ? refuse_each("/proc/self/exe", "+", &notes) : 0;
    printf("%u runs with one refusal, %u with all from one on, %u notes\n", once, all, notes);
    bool said = argc < 2 || strcmp(argv[1], "notes") != 0 || notes != 0;
    return once > 3 && all > 3 && said ? 0 : 1;
}
