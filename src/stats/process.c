/*
 * The memory of a live process, this one included, by process_vm_readv: the target is neither
 * stopped nor changed, and a wild address is an error and no fault.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ex/layout.h"
#include "stats/memory.h"

#define PIECES_AT_ONCE 256

static bool process_read_some(pid_t pid, const struct piece *pieces, size_t count) {
    struct iovec local[PIECES_AT_ONCE], remote[PIECES_AT_ONCE];
    size_t total = 0;

    for (size_t i = 0; i < count; i++) {
        local[i] = (struct iovec){pieces[i].out, pieces[i].size};
        remote[i] = (struct iovec){(void *)(uintptr_t)pieces[i].address, pieces[i].size};
        total += pieces[i].size;
    }
    return process_vm_readv(pid, local, count, remote, count, 0) == (ssize_t)total;
}

static bool process_read(struct memory *m, const struct piece *pieces, size_t count) {
    for (size_t done = 0; done < count;) {
        size_t some = count - done < PIECES_AT_ONCE ? count - done : PIECES_AT_ONCE;
        if (!process_read_some((pid_t)m->pid, pieces + done, some))
            return false;
        done += some;
    }
    return true;
}

/* --- /proc/PID/maps --------------------------------------------------------------------------- */

/* Digits of a number in `base` (10 or 16); *p is left behind them. */
static uint64_t parse_digits(const char **p, unsigned base) {
    uint64_t value = 0;
    for (;; ++*p) {
        unsigned c = (unsigned char)**p;
        unsigned digit = c - '0' < 10 ? c - '0' : (c | 32) - 'a' < 6 ? (c | 32) - 'a' + 10 : 99;
        if (digit >= base)
            return value;
        value = value * base + digit;
    }
}

static const char *skip_word(const char *p) {
    while (*p != ' ' && *p != '\0')
        p++;
    while (*p == ' ')
        p++;
    return p;
}

/*
 * "start-end rw-p offset device inode name": private, writable, of no file, starting where a slab
 * could.
 */
static bool parse_area(const char *line, uint64_t *start) {
    const char *p = line;

    *start = parse_digits(&p, 16);
    p = skip_word(p);
    if (strncmp(p, "rw-p", 4) != 0 && strncmp(p, "rwxp", 4) != 0)
        return false;
    p = skip_word(skip_word(skip_word(p)));
    if (parse_digits(&p, 10) != 0)
        return false;
    return *start % SLAB_SIZE == 0;
}

static enum rxpool_stats_status maps_failed(const struct memory *m, int number,
                                            struct rxpool_stats_error *error) {
    if (number == ENOENT || number == ESRCH)
        return stats_fail(error, RXPOOL_STATS_GONE, "there is no process %u", m->pid);
    return stats_fail(
        error, RXPOOL_STATS_DENIED,
        "process %u cannot be read (%s): the kernel's ptrace rules ask for the same user or "
        "CAP_SYS_PTRACE, or RXPOOL_OPTIONS=attach=user in the target",
        m->pid, strerror(number));
}

static void maps_path(char path[32], uint32_t pid) {
    char digits[10];
    size_t n = 0, length = 6;

    memcpy(path, "/proc/", 6);
    do
        digits[n++] = (char)('0' + pid % 10);
    while ((pid /= 10) != 0);
    while (n > 0)
        path[length++] = digits[--n];
    memcpy(path + length, "/maps", 6);
}

/* Reads by hand and not through stdio, which allocates. */
static enum rxpool_stats_status process_each_area(struct memory *m,
                                                  bool (*visit)(void *context, uint64_t start),
                                                  void *context, struct rxpool_stats_error *error) {
    char path[32], buffer[8192];
    size_t have = 0;
    ssize_t got;
    bool found = false;

    maps_path(path, m->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return maps_failed(m, errno, error);
    while (!found && (got = read(fd, buffer + have, sizeof(buffer) - 1 - have)) > 0) {
        char *line = buffer, *end;
        have += (size_t)got;
        buffer[have] = '\0';
        for (; !found && (end = strchr(line, '\n')) != NULL; line = end + 1) {
            uint64_t start;
            *end = '\0';
            found = parse_area(line, &start) && visit(context, start);
        }
        have -= (size_t)(line - buffer);
        memmove(buffer, line, have);
        if (have == sizeof(buffer) - 1)
            have = 0; /* a line longer than any path: nothing of ours */
    }
    int number = errno;
    close(fd);
    return !found && got < 0 ? maps_failed(m, number, error) : RXPOOL_STATS_OK;
}

static bool process_alive(struct memory *m) {
    return kill((pid_t)m->pid, 0) == 0 || errno == EPERM;
}

static void process_close(struct memory *m) {
    (void)m;
}

enum rxpool_stats_status memory_open_process(struct memory *m, pid_t pid,
                                             struct rxpool_stats_error *error) {
    char probe;
    struct iovec local = {&probe, 1}, remote = {NULL, 1};

    *m = (struct memory){.pid = (uint32_t)pid,
                         .fd = -1,
                         .read = process_read,
                         .each_area = process_each_area,
                         .alive = process_alive,
                         .close = process_close};
    /*
     * Nothing lies at address 0, so the answer tells permission alone: EFAULT where it is granted.
     */
    process_vm_readv(pid, &local, 1, &remote, 1, 0);
    if (errno == ESRCH || errno == EPERM || errno == EACCES || errno == ENOSYS)
        return maps_failed(m, errno, error);
    return RXPOOL_STATS_OK;
}
