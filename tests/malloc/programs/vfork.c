/* vfork and exec, posix_spawn and popen: the child runs on the parent's memory until it execs. */
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

extern char **environ;

int main(void) {
    require_drop_in();
    alarm(60);
    for (int i = 0; i < 20; i++) {
        char *words[] = {"true", NULL}, line[16] = "";
        int status = -1;
        pid_t pid = vfork();
        if (pid == 0) {
            execvp(words[0], words);
            _exit(127);
        }
        require(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
        require(posix_spawnp(&pid, words[0], NULL, NULL, words, environ) == 0);
        require(waitpid(pid, &status, 0) == pid && status == 0);
        FILE *stream = popen("echo pool", "r");
        require(stream != NULL && fgets(line, sizeof line, stream) != NULL && pclose(stream) == 0);
        require(strcmp(line, "pool\n") == 0);
        churn(0, 100);
    }
    return 0;
}
