/*
 * Can a command run with a library preloaded? Told before it is started, since the loader would not
 * say.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tool.h"

#define INTERPRETERS_MOST 4

/*
 * As execvp searches: a name with a slash is a path, any other is looked for along PATH. 0, or an
 * errno.
 */
static int find_program(const char *command, char path[PATH_MAX]) {
    const char *rest = getenv("PATH");
    int error = ENOENT;
    struct stat status;

    if (strchr(command, '/') != NULL) {
        snprintf(path, PATH_MAX, "%s", command);
        return stat(path, &status) != 0   ? errno
               : !S_ISREG(status.st_mode) ? EISDIR
               : access(path, X_OK) != 0  ? errno
                                          : 0;
    }
    for (rest = rest == NULL ? "/bin:/usr/bin" : rest; command[0] != '\0';) {
        size_t length = strcspn(rest, ":");
        int n = snprintf(path, PATH_MAX, "%.*s%s%s", (int)length, rest, length > 0 ? "/" : "./",
                         command);
        if (n > 0 && n < PATH_MAX && stat(path, &status) == 0 && S_ISREG(status.st_mode)) {
            if (access(path, X_OK) == 0)
                return 0;
            error = EACCES;
        }
        if (rest[length] == '\0')
            break;
        rest += length + 1;
    }
    return error;
}

/* --- what the file is ------------------------------------------------------------------------- */

/* The loader of a program that gains privileges takes no library from its caller. */
static bool gains_privileges(const char *path) {
    struct stat status;
    char capability[64];

    if (stat(path, &status) == 0 && (((status.st_mode & S_ISUID) && status.st_uid != geteuid()) ||
                                     ((status.st_mode & S_ISGID) && status.st_gid != getegid())))
        return true;
    return geteuid() != 0 &&
           getxattr(path, "security.capability", capability, sizeof(capability)) > 0;
}

/* An ELF program without an interpreter has no loader that could preload anything. */
static const char *elf_fault(int fd) {
    Elf64_Ehdr header;
    Elf64_Phdr segment;

    if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
        return "it is cut short";
    if (header.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
        return "it is of another word size than the pool's library";
    if (header.e_type == ET_DYN || header.e_type == ET_EXEC) {
        for (unsigned i = 0; i < header.e_phnum; i++)
            if (pread(fd, &segment, sizeof(segment),
                      (off_t)(header.e_phoff + (uint64_t)i * header.e_phentsize)) ==
                    (ssize_t)sizeof(segment) &&
                segment.p_type == PT_INTERP)
                return NULL;
    }
    return "it is linked statically, and the pool comes in as a shared library; link it with "
           "librxpool.a "
           "instead";
}

/* "#!interpreter argument": what runs is the interpreter. False when the line names none. */
static bool script_interpreter(const char *line, char path[PATH_MAX]) {
    line += 2 + strspn(line + 2, " \t");
    size_t length = strcspn(line, " \t\n");
    if (length == 0 || length >= PATH_MAX)
        return false;
    memcpy(path, line, length);
    path[length] = '\0';
    return true;
}

/* NULL when it can run on the pool. A file of neither kind is for /bin/sh, as execvp has it. */
static const char *program_fault(char path[PATH_MAX]) {
    for (int depth = 0; depth < INTERPRETERS_MOST; depth++) {
        char start[256] = "";
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return errno == EACCES ? NULL : strerror(errno); /* it may be run though not be read */
        ssize_t got = read(fd, start, sizeof(start) - 1);
        const char *fault = NULL;
        if (got >= SELFMAG && memcmp(start, ELFMAG, SELFMAG) == 0) {
            fault = elf_fault(fd);
            close(fd);
            return fault == NULL && gains_privileges(path)
                       ? "it is setuid, setgid or has capabilities, and the loader then preloads "
                         "nothing"
                       : fault;
        }
        close(fd);
        if (strncmp(start, "#!", 2) != 0)
            return NULL;
        if (!script_interpreter(start, path))
            return "its first line names no interpreter";
        if (access(path, X_OK) != 0)
            return "its interpreter is missing or cannot be run";
    }
    return "its interpreters are nested too deep";
}

int check_program(const char *command) {
    char path[PATH_MAX];
    int error = find_program(command, path);

    if (error == ENOENT || error == ENOTDIR) {
        tool_message("run: %s: no such command", command);
        return TOOL_NOT_FOUND;
    }
    if (error != 0) {
        tool_message("run: %s cannot be run: %s", command,
                     error == EISDIR ? "it is no regular file" : strerror(error));
        return TOOL_CANNOT_RUN;
    }
    const char *fault = program_fault(path);
    if (fault == NULL)
        return TOOL_OK;
    tool_message("run: %s cannot run on the pool: %s", command, fault);
    return TOOL_CANNOT_RUN;
}
