/* Every call of malloc/io.c: what is right goes through in silence, what is wrong is told with the call's name. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE 32 /* of a block */
#define HAVE 4  /* bytes that there are to read */

static int said[2]; /* a pipe that is stderr */
static int ends[2]; /* sockets: what is written to one is read from the other */
static int file;    /* HAVE bytes long */

/* What the compiler makes of calls whose buffer it knows to be larger. */
ssize_t read_chk(int from, void *to, size_t bytes, size_t room) __asm__("__read_chk");
ssize_t pread_chk(int from, void *to, size_t bytes, off_t at, size_t room) __asm__("__pread_chk");
ssize_t pread64_chk(int from, void *to, size_t bytes, off_t at,
                    size_t room) __asm__("__pread64_chk");
ssize_t recv_chk(int from, void *to, size_t bytes, size_t room, int flags) __asm__("__recv_chk");

static ssize_t do_read(void *p, size_t bytes) {
    return read(ends[0], p, bytes);
}

static ssize_t do_read_chk(void *p, size_t bytes) {
    return read_chk(ends[0], p, bytes, SIZE * 2);
}

static ssize_t do_write(void *p, size_t bytes) {
    return write(ends[1], p, bytes);
}

static ssize_t do_pread(void *p, size_t bytes) {
    return pread(file, p, bytes, 0);
}

static ssize_t do_pread64(void *p, size_t bytes) {
    return pread64(file, p, bytes, 0);
}

static ssize_t do_pread_chk(void *p, size_t bytes) {
    return pread_chk(file, p, bytes, 0, SIZE * 2);
}

static ssize_t do_pread64_chk(void *p, size_t bytes) {
    return pread64_chk(file, p, bytes, 0, SIZE * 2);
}

static ssize_t do_pwrite(void *p, size_t bytes) {
    return pwrite(file, p, bytes, 100);
}

static ssize_t do_pwrite64(void *p, size_t bytes) {
    return pwrite64(file, p, bytes, 100);
}

static ssize_t do_readv(void *p, size_t bytes) {
    char other;
    return readv(ends[0], (struct iovec[]){{p, bytes}, {&other, 1}}, 2);
}

static ssize_t do_writev(void *p, size_t bytes) {
    char other = 'o';
    return writev(ends[1], (struct iovec[]){{p, bytes}, {&other, 1}}, 2) - 1;
}

static ssize_t do_recv(void *p, size_t bytes) {
    return recv(ends[0], p, bytes, 0);
}

static ssize_t do_recv_chk(void *p, size_t bytes) {
    return recv_chk(ends[0], p, bytes, SIZE * 2, 0);
}

static ssize_t do_recvfrom(void *p, size_t bytes) {
    return recvfrom(ends[0], p, bytes, 0, NULL, NULL);
}

static ssize_t do_send(void *p, size_t bytes) {
    return send(ends[1], p, bytes, 0);
}

static ssize_t do_sendto(void *p, size_t bytes) {
    return sendto(ends[1], p, bytes, 0, NULL, 0);
}

static const struct {
    const char *name;
    ssize_t (*call)(void *, size_t);
    int reads; /* of the file or socket */
} calls[] = {
    {"read", do_read, 1},         {"read", do_read_chk, 1},     {"write", do_write, 0},
    {"pread", do_pread, 1},       {"pread", do_pread64, 1},     {"pread", do_pread_chk, 1},
    {"pread", do_pread64_chk, 1}, {"pwrite", do_pwrite, 0},     {"pwrite", do_pwrite64, 0},
    {"readv", do_readv, 1},       {"writev", do_writev, 0},     {"recv", do_recv, 1},
    {"recv", do_recv_chk, 1},     {"recvfrom", do_recvfrom, 1}, {"send", do_send, 0},
    {"sendto", do_sendto, 0},
};

/* All that was reported since the last call. */
static const char *reports(void) {
    static char text[1 << 16];
    ssize_t n = read(said[0], text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void drain(int from) {
    char bytes[256];
    while (recv(from, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
}

/* A report that has all of it, and no second one; by itself, so that the text is shown where it is not so. */
static void assert_told(const char *call, const char *what) {
    char by[64], expected[64];
    const char *text = reports();
    strcpy(by, "\ndetected by: ");
    strcat(strcat(by, call), "\n");
    strcpy(expected, "\nwhat: ");
    strcat(strcat(expected, what), "\n");
    const char *first = strstr(text, "*** STOP");
    if (first == NULL || strstr(text, by) == NULL || strstr(text, expected) == NULL ||
        strstr(first + 1, "*** STOP") != NULL)
        fail_msg("expected of %s: %s, not\n%s", call, what, text);
}

static void every_call_is_looked_at(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        int reads = calls[i].reads;
        char *p = malloc(SIZE);
        memset(p, 'a', SIZE);
        drain(ends[0]);
        assert_int_equal(write(ends[1], "text", HAVE), HAVE);
        errno = 77;
        assert_int_equal(calls[i].call(p, SIZE), reads ? HAVE : SIZE);
        assert_int_equal(errno, 77);
        assert_int_equal(memcmp(p, reads ? "text" : "aaaa", HAVE), 0);
        calls[i].call(p + SIZE, 0);
        assert_string_equal(reports(), "");
        drain(ends[0]);
        assert_int_equal(write(ends[1], "text", HAVE), HAVE);
        calls[i].call(p, SIZE + 1);
        assert_told(calls[i].name, reads ? "memory behind the end of a block was written"
                                         : "memory behind the end of a block was read");
        drain(ends[0]);
        free(p);
        assert_string_equal(reports(), "");
        assert_int_equal(write(ends[1], "text", HAVE), HAVE);
        calls[i].call(p, 0);
        assert_string_equal(reports(), "");
    }
}

static void freed_memory_is_told(void **state) {
    (void)state;
    char *p = malloc(SIZE);
    memset(p, 'a', SIZE);
    free(p);
    do_write(p, 1);
    assert_told("write", "a freed block was read");
    do_write(p + SIZE - 1, 1);
    assert_told("write", "a freed block was read");
}

/* Stacks, globals and literals are no business of the drop-in; nor is what is no memory at all. */
static void other_memory_is_not_looked_at(void **state) {
    static char global[SIZE];
    char local[SIZE] = "";
    (void)state;
    assert_int_equal(do_write(global, SIZE), SIZE);
    assert_int_equal(do_write(local, SIZE), SIZE);
    assert_int_equal(do_write((void *)(uintptr_t) "literal", 8), 8);
    assert_int_equal(do_write((void *)1, 8), -1);
    assert_int_equal(errno, EFAULT);
    assert_int_equal(do_write((void *)(UINTPTR_MAX - 4), 8), -1);
    assert_int_equal(writev(ends[1], NULL, 0), 0);
    assert_int_equal(writev(ends[1], NULL, 1 << 20), -1);
    assert_string_equal(reports(), "");
}

static int set_up(void **state) {
    (void)state;
    char name[] = "/tmp/rxpool-io-XXXXXX";
    if (pipe2(said, O_NONBLOCK) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
        return -1;
    file = mkstemp(name);
    unlink(name);
    return file < 0 || write(file, "text", HAVE) != HAVE || dup2(said[1], STDERR_FILENO) < 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_is_looked_at),
        cmocka_unit_test(freed_memory_is_told),
        cmocka_unit_test(other_memory_is_not_looked_at),
    };
    int console = dup(STDERR_FILENO);
    int failed = cmocka_run_group_tests(tests, set_up, NULL);
    dup2(console, STDERR_FILENO);
    return failed;
}
