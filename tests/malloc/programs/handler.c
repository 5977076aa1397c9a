/*
 * malloc and free in a signal handler that runs while its thread is in the middle of a checked call:
 * a report is being written to a pipe that nobody reads any more.
 */
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include "program.h"

static char *known, *fresh;
static int runs;

/* NOLINTBEGIN(bugprone-signal-handler): what a handler may not do is what is tested. */
static void handler(int number) {
    (void)number;
    fresh = malloc(100);
    require(fresh != NULL);
    memset(fresh, 1, 100);
    char *grown = realloc(known, 200);
    require(grown == NULL); /* refused; the block stays as it is */
    free(known);
    runs++;
}
/* NOLINTEND(bugprone-signal-handler) */

int main(void) {
    int ends[2];
    char *bad[2] = {malloc(16), malloc(16)};
    require_drop_in();
    known = malloc(50);
    memset(known, 2, 50);
    require(pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[0]);
    close(ends[1]);
    require(signal(SIGPIPE, handler) != SIG_ERR);
    free(bad[0] + 1);
    require(runs == 1);
    require(malloc_usable_size(known) == 0); /* the handler's free was made good behind the call */
    require(malloc_usable_size(fresh) >= 100);
    for (int i = 0; i < 100; i++)
        require(fresh[i] == 1);
    char *grown = realloc(fresh, 1000);
    require(grown != NULL && grown[99] == 1);
    free(grown);
    free(bad[0]);
    free(bad[1]);
    return 0;
}
