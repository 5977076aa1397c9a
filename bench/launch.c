/*
 * Runs a program and says what it took:   bench-launch FD [NAME=VALUE ...] -- COMMAND [ARGUMENT ...]
 *
 * On descriptor FD: `wall_ns=.. cpu_ns=.. peak_kib=.. faults=.. status=..`, of COMMAND and of the children that
 * it waited for. The variables are set for COMMAND alone. A process of its own and a small one, because the
 * system counts what the parent held at the moment of exec as the child's first peak.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t wall_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int64_t nanoseconds(struct timeval t) {
    return t.tv_sec * 1000000000ll + t.tv_usec * 1000ll;
}

/* In the child: never returns. */
static void become(char **settings, char **command) {
    /* A bench that is stopped stops what it measures. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (; settings < command - 1; settings++) {
        putenv(*settings);
    }
    execvp(command[0], command);
    perror(command[0]);
    _exit(127);
}

int main(int argc, char **argv) {
    int split = 2;
    while (split < argc && strcmp(argv[split], "--") != 0) {
        split++;
    }
    if (split + 1 >= argc) {
        fprintf(stderr, "usage: bench-launch FD [NAME=VALUE ...] -- COMMAND [ARGUMENT ...]\n");
        return 2;
    }
    int report = (int)strtol(argv[1], NULL, 10);
    int64_t begin = wall_ns();
    pid_t child = fork();
    if (child == 0) {
        close(report);
        become(argv + 2, argv + split + 1);
    }
    int status = 0;
    struct rusage used;
    if (child < 0 || wait4(child, &status, 0, &used) != child) {
        perror("bench-launch");
        return 1;
    }
    int64_t wall = wall_ns() - begin;
    int64_t cpu = nanoseconds(used.ru_utime) + nanoseconds(used.ru_stime);
    dprintf(report, "wall_ns=%" PRId64 " cpu_ns=%" PRId64 " peak_kib=%ld faults=%ld status=%d\n",
            wall, cpu, used.ru_maxrss, used.ru_minflt + used.ru_majflt,
            WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
    return 0;
}
