/* Small files that the library reads and adds to: see plat.h. */
#include "plat/plat.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool plat_append(const char *file, const char *text, size_t length) {
    int saved = errno;
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    bool written = fd >= 0 && write(fd, text, length) == (ssize_t)length;

    if (fd >= 0)
        close(fd);
    errno = saved;
    return written;
}

size_t plat_read_file(const char *file, uint64_t offset, void *out, size_t size) {
    int saved = errno;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? pread(fd, out, size, (off_t)offset) : 0;

    if (fd >= 0)
        close(fd);
    errno = saved;
    return got > 0 ? (size_t)got : 0;
}
