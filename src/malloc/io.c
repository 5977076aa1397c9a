/* read(2), write(2) and their like: see io.h. */
#include "malloc/io.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/options.h"
#include "ex/special.h"
#include "malloc/checked.h"

#define PARTS_MOST 1024 /* IOV_MAX: more are refused by the system */

/* What _FORTIFY_SOURCE makes of some of the calls, and how libc ends a program by it. */
ssize_t read_chk(int file, void *to, size_t bytes, size_t room) __asm__("__read_chk");
ssize_t pread_chk(int file, void *to, size_t bytes, off64_t at, size_t room) __asm__("__pread_chk");
ssize_t pread64_chk(int file, void *to, size_t bytes, off64_t at,
                    size_t room) __asm__("__pread64_chk");
ssize_t recv_chk(int file, void *to, size_t bytes, size_t room, int flags) __asm__("__recv_chk");
RXP_NORETURN void chk_fail(void) __asm__("__chk_fail");

static bool watches;

/* The access by which the system serves the call to which `caller` is the return address. */
static RXP_COLD void look(const char *routine, uintptr_t at, size_t bytes, bool write,
                          const void *caller) {
    int error = errno;
    const void *memory = (const void *)at;
    if (dropin_checked)
        check_heap_access(memory, bytes, write,
                          &(const struct caller){.routine = routine, .pc = caller});
    else
        special_judge(memory, bytes, write, caller, routine);
    errno = error;
}

static RXP_COLD void look_at_parts(const char *routine, const struct iovec *part, int count,
                                   bool write, const void *caller) {
    for (int i = 0; i < count && count <= PARTS_MOST; i++)
        look(routine, (uintptr_t)part[i].iov_base, part[i].iov_len, write, caller);
}

/* --- the system's calls, as they are until the next library's are known ------------------------- */

static ssize_t raw_read(int file, void *to, size_t bytes) {
    return syscall(SYS_read, file, to, bytes);
}

static ssize_t raw_write(int file, const void *from, size_t bytes) {
    return syscall(SYS_write, file, from, bytes);
}

static ssize_t raw_pread(int file, void *to, size_t bytes, off64_t at) {
    return syscall(SYS_pread64, file, to, bytes, at);
}

static ssize_t raw_pwrite(int file, const void *from, size_t bytes, off64_t at) {
    return syscall(SYS_pwrite64, file, from, bytes, at);
}

static ssize_t raw_readv(int file, const struct iovec *part, int count) {
    return syscall(SYS_readv, file, part, count);
}

static ssize_t raw_writev(int file, const struct iovec *part, int count) {
    return syscall(SYS_writev, file, part, count);
}

static ssize_t raw_recvfrom(int file, void *to, size_t bytes, int flags, struct sockaddr *peer,
                            socklen_t *length) {
    return syscall(SYS_recvfrom, file, to, bytes, flags, peer, length);
}

static ssize_t raw_sendto(int file, const void *from, size_t bytes, int flags,
                          const struct sockaddr *peer, socklen_t length) {
    return syscall(SYS_sendto, file, from, bytes, flags, peer, length);
}

/* libc's, which are points where a thread may be cancelled. */
static struct {
    ssize_t (*read)(int, void *, size_t);
    ssize_t (*write)(int, const void *, size_t);
    ssize_t (*pread)(int, void *, size_t, off64_t);
    ssize_t (*pwrite)(int, const void *, size_t, off64_t);
    ssize_t (*readv)(int, const struct iovec *, int);
    ssize_t (*writev)(int, const struct iovec *, int);
    ssize_t (*recvfrom)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
    ssize_t (*sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
} next = {raw_read,  raw_write,  raw_pread,    raw_pwrite,
          raw_readv, raw_writev, raw_recvfrom, raw_sendto};

#define FIND_NEXT(member, name)                                                                    \
    do {                                                                                           \
        void *found = dlsym(RTLD_NEXT, name);                                                      \
        if (found != NULL)                                                                         \
            next.member = (__typeof__(next.member))found;                                          \
    } while (0)

void io_start(void) {
    FIND_NEXT(read, "read");
    FIND_NEXT(write, "write");
    FIND_NEXT(pread, "pread64");
    FIND_NEXT(pwrite, "pwrite64");
    FIND_NEXT(readv, "readv");
    FIND_NEXT(writev, "writev");
    FIND_NEXT(recvfrom, "recvfrom");
    FIND_NEXT(sendto, "sendto");
    watches = dropin_checked || options_special(options_get());
}

/* --- the calls ---------------------------------------------------------------------------------- */

#define LOOK(routine, memory, bytes, write)                                                        \
    do {                                                                                           \
        if (RXP_UNLIKELY(watches))                                                                 \
            look(routine, (uintptr_t)(memory), bytes, write, RXP_RETURN_ADDRESS());                \
    } while (0)

RXP_EXPORT ssize_t read(int file, void *to, size_t bytes) {
    LOOK("read", to, bytes, true);
    return next.read(file, to, bytes);
}

RXP_EXPORT ssize_t write(int file, const void *from, size_t bytes) {
    LOOK("write", from, bytes, false);
    return next.write(file, from, bytes);
}

RXP_EXPORT ssize_t pread64(int file, void *to, size_t bytes, off64_t at) {
    LOOK("pread", to, bytes, true);
    return next.pread(file, to, bytes, at);
}

RXP_EXPORT ssize_t pwrite64(int file, const void *from, size_t bytes, off64_t at) {
    LOOK("pwrite", from, bytes, false);
    return next.pwrite(file, from, bytes, at);
}

RXP_EXPORT ssize_t readv(int file, const struct iovec *part, int count) {
    if (RXP_UNLIKELY(watches))
        look_at_parts("readv", part, count, true, RXP_RETURN_ADDRESS());
    return next.readv(file, part, count);
}

RXP_EXPORT ssize_t writev(int file, const struct iovec *part, int count) {
    if (RXP_UNLIKELY(watches))
        look_at_parts("writev", part, count, false, RXP_RETURN_ADDRESS());
    return next.writev(file, part, count);
}

RXP_EXPORT ssize_t recv(int file, void *to, size_t bytes, int flags) {
    LOOK("recv", to, bytes, true);
    return next.recvfrom(file, to, bytes, flags, NULL, NULL);
}

RXP_EXPORT ssize_t recvfrom(int file, void *restrict to, size_t bytes, int flags,
                            __SOCKADDR_ARG peer, socklen_t *restrict length) {
    LOOK("recvfrom", to, bytes, true);
    return next.recvfrom(file, to, bytes, flags, peer.__sockaddr__, length);
}

RXP_EXPORT ssize_t send(int file, const void *from, size_t bytes, int flags) {
    LOOK("send", from, bytes, false);
    return next.sendto(file, from, bytes, flags, NULL, 0);
}

RXP_EXPORT ssize_t sendto(int file, const void *from, size_t bytes, int flags,
                          __CONST_SOCKADDR_ARG peer, socklen_t length) {
    LOOK("sendto", from, bytes, false);
    return next.sendto(file, from, bytes, flags, peer.__sockaddr__, length);
}

/* Offsets have 64 bits under both names. */
_Static_assert(sizeof(off_t) == sizeof(off64_t), "");
RXP_EXPORT ssize_t pread(int file, void *to, size_t bytes, off_t at)
    __attribute__((alias("pread64")));
RXP_EXPORT ssize_t pwrite(int file, const void *from, size_t bytes, off_t at)
    __attribute__((alias("pwrite64")));

RXP_EXPORT ssize_t read_chk(int file, void *to, size_t bytes, size_t room) {
    if (bytes > room)
        chk_fail();
    LOOK("read", to, bytes, true);
    return next.read(file, to, bytes);
}

RXP_EXPORT ssize_t pread64_chk(int file, void *to, size_t bytes, off64_t at, size_t room) {
    if (bytes > room)
        chk_fail();
    LOOK("pread", to, bytes, true);
    return next.pread(file, to, bytes, at);
}

RXP_EXPORT ssize_t pread_chk(int file, void *to, size_t bytes, off64_t at, size_t room) {
    if (bytes > room)
        chk_fail();
    LOOK("pread", to, bytes, true);
    return next.pread(file, to, bytes, at);
}

RXP_EXPORT ssize_t recv_chk(int file, void *to, size_t bytes, size_t room, int flags) {
    if (bytes > room)
        chk_fail();
    LOOK("recv", to, bytes, true);
    return next.recvfrom(file, to, bytes, flags, NULL, NULL);
}
