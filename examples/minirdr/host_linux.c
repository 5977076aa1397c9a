/* The redirector's server on Linux: a directory tree, reached by descriptors and never through a link. */
#include "linux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define OPEN_FLAGS (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define DIRENTS_BYTES 32768
#define TICK_NANOSECONDS 20000000LL

/* An open file or directory: what a HANDLE points to. */
struct host_file {
    int fd;
    struct stat opened; /* as it was when it was opened */
    struct timespec at; /* when that was */
    /* Of a directory: what getdents64 gave and the core has not taken. */
    char *dirents;
    size_t dirents_used, dirents_length;
};

/* --- status -------------------------------------------------------------------------------------------- */

static const struct {
    int error;
    NTSTATUS status;
} errors[] = {
    {EACCES, STATUS_ACCESS_DENIED},          {EPERM, STATUS_ACCESS_DENIED},
    {ENOENT, STATUS_OBJECT_NAME_NOT_FOUND},  {ENOTDIR, STATUS_NOT_A_DIRECTORY},
    {EISDIR, STATUS_FILE_IS_A_DIRECTORY},    {ELOOP, STATUS_OBJECT_TYPE_MISMATCH},
    {EMFILE, STATUS_TOO_MANY_OPENED_FILES},  {ENFILE, STATUS_TOO_MANY_OPENED_FILES},
    {ENOMEM, STATUS_INSUFFICIENT_RESOURCES}, {ENAMETOOLONG, STATUS_NAME_TOO_LONG},
    {EIO, STATUS_IO_DEVICE_ERROR},           {EINVAL, STATUS_INVALID_PARAMETER},
    {EBUSY, STATUS_SHARING_VIOLATION},
};

static NTSTATUS status_of(int error) {
    for (size_t i = 0; i < RTL_NUMBER_OF(errors); i++)
        if (errors[i].error == error)
            return errors[i].status;
    return STATUS_UNSUCCESSFUL;
}

static const char *text_of(NTSTATUS status) {
    if (status == STATUS_OBJECT_TYPE_MISMATCH)
        return "no longer a file or directory";
    for (size_t i = 0; i < RTL_NUMBER_OF(errors); i++)
        if (errors[i].status == status)
            return strerror(errors[i].error);
    return "cannot be read";
}

/* --- opening ------------------------------------------------------------------------------------------- */

/* openat for paths of any length: in pieces that the system takes. */
static int open_below(int directory, const char *path) {
    int at = directory;

    while (strlen(path) >= PATH_MAX) {
        char piece[PATH_MAX];
        size_t length = PATH_MAX - 1;
        int next;

        while (length != 0 && path[length] != '/')
            length--;
        memcpy(piece, path, length);
        piece[length] = '\0';
        next = openat(at, piece, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (at != directory)
            close(at);
        if (next < 0)
            return -1;
        at = next;
        path += length + 1;
    }
    int fd = openat(at, *path != '\0' ? path : ".", OPEN_FLAGS);
    int error = errno;

    if (at != directory)
        close(at);
    errno = error;
    return fd;
}

static NTSTATUS open_name(int directory, PCUNICODE_STRING name, int *fd) {
    char *path = names_encode(name);

    if (path == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    *fd = open_below(directory, path);
    NTSTATUS status = *fd < 0 ? status_of(errno) : STATUS_SUCCESS;
    free(path);
    return status;
}

static VOID host_close(PVOID context, HANDLE handle) {
    struct host_file *file = handle;

    (void)context;
    close(file->fd);
    free(file->dirents);
    free(file);
}

static NTSTATUS host_open(PVOID context, HANDLE directory, PCUNICODE_STRING name, PHANDLE handle,
                          PHOST_FILE_INFO info) {
    struct linux_host *host = context;
    struct host_file *file = calloc(1, sizeof(*file));
    NTSTATUS status;

    if (file == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    status = open_name(directory != NULL ? ((struct host_file *)directory)->fd : host->root, name,
                       &file->fd);
    if (!NT_SUCCESS(status)) {
        free(file);
        return status;
    }
    clock_gettime(CLOCK_REALTIME_COARSE, &file->at);
    if (fstat(file->fd, &file->opened) != 0)
        status = status_of(errno);
    else if (!S_ISDIR(file->opened.st_mode) && !S_ISREG(file->opened.st_mode))
        status = STATUS_OBJECT_TYPE_MISMATCH;
    if (!NT_SUCCESS(status)) {
        host_close(context, file);
        return status;
    }
    info->Directory = S_ISDIR(file->opened.st_mode);
    info->EndOfFile = info->Directory ? 0 : file->opened.st_size;
    *handle = file;
    return STATUS_SUCCESS;
}

/* --- directories --------------------------------------------------------------------------------------- */

static ULONG kind_of(int directory, const struct dirent64 *entry) {
    struct stat found;

    switch (entry->d_type) {
    case DT_REG:
        return HostEntryFile;
    case DT_DIR:
        return HostEntryDirectory;
    case DT_LNK:
        return HostEntryLink;
    case DT_UNKNOWN:
        break;
    default:
        return HostEntryOther;
    }
    if (fstatat(directory, entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0)
        return HostEntryFile; /* opening it will say what is wrong */
    return S_ISREG(found.st_mode)   ? HostEntryFile
           : S_ISDIR(found.st_mode) ? HostEntryDirectory
           : S_ISLNK(found.st_mode) ? HostEntryLink
                                    : HostEntryOther;
}

/* The next entry, which stays until it is taken; NULL with *status set. */
static const struct dirent64 *peek_entry(struct host_file *file, NTSTATUS *status) {
    if (file->dirents == NULL && (file->dirents = malloc(DIRENTS_BYTES)) == NULL) {
        *status = STATUS_INSUFFICIENT_RESOURCES;
        return NULL;
    }
    if (file->dirents_used == file->dirents_length) {
        ssize_t got = getdents64(file->fd, file->dirents, DIRENTS_BYTES);

        if (got <= 0) {
            *status = got == 0 ? STATUS_NO_MORE_FILES : status_of(errno);
            return NULL;
        }
        file->dirents_used = 0;
        file->dirents_length = (size_t)got;
    }
    return (const struct dirent64 *)(const void *)(file->dirents + file->dirents_used);
}

static NTSTATUS host_query_directory(PVOID context, HANDLE handle, PVOID buffer, ULONG length) {
    struct host_file *file = handle;
    const struct dirent64 *dirent;
    PHOST_DIRECTORY_ENTRY last = NULL;
    NTSTATUS status = STATUS_SUCCESS;
    size_t used = 0;

    (void)context;
    while ((dirent = peek_entry(file, &status)) != NULL) {
        size_t bytes = strlen(dirent->d_name);
        size_t need = offsetof(HOST_DIRECTORY_ENTRY, Name) + bytes * sizeof(WCHAR);
        PHOST_DIRECTORY_ENTRY entry = (PHOST_DIRECTORY_ENTRY)(void *)((char *)buffer + used);

        if (strcmp(dirent->d_name, ".") != 0 && strcmp(dirent->d_name, "..") != 0) {
            if (need > length - used) {
                status = STATUS_BUFFER_OVERFLOW;
                break;
            }
            entry->NextEntryOffset = 0;
            entry->Kind = kind_of(file->fd, dirent);
            entry->NameLength =
                (ULONG)(names_decode(entry->Name, dirent->d_name, bytes) * sizeof(WCHAR));
            if (last != NULL)
                last->NextEntryOffset = (ULONG)((char *)entry - (char *)last);
            last = entry;
            used += (need + 7) & ~(size_t)7;
            if (used > length)
                used = length;
        }
        file->dirents_used += dirent->d_reclen;
    }
    return last != NULL ? STATUS_SUCCESS : status;
}

/* --- reading and comparing ------------------------------------------------------------------------------ */

static NTSTATUS host_read(PVOID context, HANDLE handle, LONGLONG offset, PVOID buffer, ULONG length,
                          PULONG bytes_read) {
    ssize_t got;

    (void)context;
    do
        got = pread(((struct host_file *)handle)->fd, buffer, length, offset);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return status_of(errno);
    *bytes_read = (ULONG)got;
    return got == 0 ? STATUS_END_OF_FILE : STATUS_SUCCESS;
}

static NTSTATUS host_begin_compare(PVOID context, PCUNICODE_STRING name, PHANDLE compare) {
    int fd;
    NTSTATUS status = open_name(((struct linux_host *)context)->root, name, &fd);

    if (NT_SUCCESS(status))
        *compare = (HANDLE)(intptr_t)fd;
    return status;
}

static BOOLEAN host_compare(PVOID context, HANDLE compare, const VOID *buffer, ULONG length) {
    int fd = (int)(intptr_t)compare;
    const char *expected = buffer;
    char plain[16384];
    bool at_end = length == 0;

    (void)context;
    do {
        size_t want = at_end ? 1 : length < sizeof(plain) ? length : sizeof(plain);
        ssize_t got = read(fd, plain, want);

        if (got < 0 && errno == EINTR)
            continue;
        if (at_end)
            return got == 0;
        if (got <= 0 || memcmp(plain, expected, (size_t)got) != 0)
            return FALSE;
        expected += got;
        length -= (ULONG)got;
    } while (at_end || length != 0);
    return TRUE;
}

static long long nanoseconds(struct timespec t) {
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/*
 * Whether the file is as it was opened. File times move in ticks of some milliseconds: one changed in the
 * tick in which it was opened may have been changed again without a trace.
 */
static bool unchanged(const struct host_file *file, const struct stat *now) {
    const struct stat *was = &file->opened;

    return now->st_size == was->st_size && nanoseconds(now->st_mtim) == nanoseconds(was->st_mtim) &&
           nanoseconds(now->st_ctim) == nanoseconds(was->st_ctim) &&
           nanoseconds(was->st_ctim) + TICK_NANOSECONDS < nanoseconds(file->at);
}

static BOOLEAN host_end_compare(PVOID context, HANDLE compare, HANDLE handle) {
    const struct host_file *file = handle;
    int fd = (int)(intptr_t)compare;
    struct stat plain, now;
    bool same;

    (void)context;
    same = fstat(fd, &plain) == 0 && fstat(file->fd, &now) == 0 && plain.st_dev == now.st_dev &&
           plain.st_ino == now.st_ino && unchanged(file, &now);
    close(fd);
    return !same;
}

/* --- threads ------------------------------------------------------------------------------------------------ */

struct start {
    PHOST_THREAD_ROUTINE routine;
    PVOID parameter;
};

static void *thread_main(void *argument) {
    const struct start *start = argument;

    start->routine(start->parameter);
    return NULL;
}

static NTSTATUS host_run_threads(PVOID context, ULONG count, PHOST_THREAD_ROUTINE routine,
                                 PVOID parameter) {
    struct start start = {routine, parameter};
    pthread_t *threads = calloc(count, sizeof(*threads));
    ULONG running = 0;

    (void)context;
    if (threads == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    while (running < count && pthread_create(&threads[running], NULL, thread_main, &start) == 0)
        running++;
    for (ULONG i = 0; i < running; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    return running != 0 ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

/* --- reports ------------------------------------------------------------------------------------------------- */

/* A name as one printable line: control characters and bytes that are not UTF-8 are seldom welcome. */
static char *printable(PCUNICODE_STRING name, const char *reason) {
    char *path = names_encode(name);
    size_t size = path != NULL ? strlen(path) * 4 + strlen(reason) + 8 : 0;
    char *line = path != NULL ? malloc(size) : NULL;
    char *out = line;

    for (const char *p = path; line != NULL && *p != '\0'; p++) {
        if ((unsigned char)*p >= 0x20 && *p != 0x7F)
            *out++ = *p;
        else
            out += sprintf(out, "\\x%02X", (unsigned char)*p);
    }
    if (line != NULL)
        sprintf(out, "%s%s%s", out == line ? "." : "", *reason != '\0' ? ": " : "", reason);
    free(path);
    return line;
}

static VOID host_report(PVOID context, HOST_EVENT event, PCUNICODE_STRING name, NTSTATUS status) {
    struct linux_host *host = context;
    struct event_list *list = &host->events[event];

    pthread_mutex_lock(&host->lock);
    if (list->count < EVENTS_KEPT)
        list->line[list->count] =
            printable(name, event == HostEventUnreadable ? text_of(status) : "");
    list->count++;
    host->name_too_long |= status == STATUS_NAME_TOO_LONG;
    host->resources_short |=
        status == STATUS_INSUFFICIENT_RESOURCES || status == STATUS_TOO_MANY_OPENED_FILES;
    pthread_mutex_unlock(&host->lock);
}

void linux_host_print_events(const struct linux_host *host, FILE *out) {
    static const char *const what[] = {
        [HostEventUnreadable] = "not read",
        [HostEventSizeChanged] = "size changed",
        [HostEventChanged] = "changed while read",
        [HostEventDifferent] = "DIFFERENT from the plain read",
    };

    for (size_t event = 0; event < RTL_NUMBER_OF(what); event++) {
        const struct event_list *list = &host->events[event];
        uint64_t kept = list->count < EVENTS_KEPT ? list->count : EVENTS_KEPT;

        for (uint64_t i = 0; i < kept; i++)
            fprintf(out, "%s: %s\n", what[event], list->line[i] != NULL ? list->line[i] : "?");
        if (list->count > kept)
            fprintf(out, "%s: and %s more\n", what[event], grouped(list->count - kept));
    }
}

/* --- the host ------------------------------------------------------------------------------------------------ */

bool linux_host_open(struct linux_host *host, const char *directory) {
    static WCHAR server[] = u"\\localhost";
    static WCHAR share[] = u"\\localhost\\tree";

    memset(host, 0, sizeof(*host));
    host->root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (host->root < 0)
        return false;
    pthread_mutex_init(&host->lock, NULL);
    host->host = (MINIRDR_HOST){
        .Context = host,
        .Open = host_open,
        .QueryDirectory = host_query_directory,
        .Read = host_read,
        .Close = host_close,
        .BeginCompare = host_begin_compare,
        .Compare = host_compare,
        .EndCompare = host_end_compare,
        .RunThreads = host_run_threads,
        .Report = host_report,
    };
    RtlInitUnicodeString(&host->host.ServerName, server);
    RtlInitUnicodeString(&host->host.ShareName, share);
    return true;
}

void linux_host_close(struct linux_host *host) {
    for (size_t event = 0; event < RTL_NUMBER_OF(host->events); event++)
        for (size_t i = 0; i < EVENTS_KEPT; i++)
            free(host->events[event].line[i]);
    pthread_mutex_destroy(&host->lock);
    close(host->root);
}
