/* The redirector over a host that fails or lies: each fault must be noticed, and nothing lost. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core.h"
#include "linux.h"

#include <cmocka.h>

#define FILES 40
#define FILE_BYTES 5000

/* The Linux host, whose own functions the faulty ones call. */
static struct linux_host linux_host;
static MINIRDR_HOST sound;
static char directory[] = "/tmp/minirdr_test.XXXXXX";

static int plant(void **state) {
    char path[128], bytes[FILE_BYTES];

    (void)state;
    assert_non_null(mkdtemp(directory));
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof(path), "%s/%d", directory, i);
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        memset(bytes, 'a' + i % 26, sizeof(bytes));
        assert_int_equal(fwrite(bytes, 1, sizeof(bytes), file), sizeof(bytes));
        fclose(file);
    }
    /* What was changed in the tick in which it is opened counts as changed; these are to be older. */
    usleep(100000);
    return 0;
}

static int clear(void **state) {
    char path[128];

    (void)state;
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof(path), "%s/%d", directory, i);
        unlink(path);
    }
    return rmdir(directory);
}

static int connect_host(void **state) {
    (void)state;
    if (!linux_host_open(&linux_host, directory))
        return -1;
    sound = linux_host.host;
    return 0;
}

static int disconnect_host(void **state) {
    (void)state;
    linux_host_close(&linux_host);
    return 0;
}

/* Runs the core over the host as it is now; nothing leaks, whatever the host does. */
static MINIRDR_STATISTICS run(NTSTATUS expected) {
    MINIRDR_STATISTICS statistics = {0};
    SIZE_T leaks = 1;

    assert_int_equal(MinirdrRun(&linux_host.host, 3, &statistics, &leaks), expected);
    assert_int_equal(leaks, 0);
    assert_int_equal(statistics.DamagedBlocks, 0);
    return statistics;
}

static void test_sound(void **state) {
    MINIRDR_STATISTICS s = run(STATUS_SUCCESS);

    (void)state;
    assert_int_equal(s.Files, FILES);
    assert_int_equal(s.FilesRead, FILES);
    assert_int_equal(s.Bytes, FILES * FILE_BYTES);
    assert_int_equal(s.Directories, 1);
}

static NTSTATUS flipping_read(PVOID context, HANDLE file, LONGLONG offset, PVOID buffer,
                              ULONG length, PULONG bytes) {
    NTSTATUS status = sound.Read(context, file, offset, buffer, length, bytes);

    if (NT_SUCCESS(status) && ((char *)buffer)[0] == 'c')
        ((char *)buffer)[*bytes - 1] ^= 1;
    return status;
}

static void test_one_bit_is_noticed(void **state) {
    (void)state;
    linux_host.host.Read = flipping_read;
    MINIRDR_STATISTICS s = run(STATUS_SUCCESS);

    assert_int_equal(s.Different, 2); /* files 2 and 28 begin with 'c' */
    assert_int_equal(s.FilesRead, FILES - 2);
    assert_int_equal(linux_host.events[HostEventDifferent].count, 2);
}

static NTSTATUS ending_read(PVOID context, HANDLE file, LONGLONG offset, PVOID buffer, ULONG length,
                            PULONG bytes) {
    if (offset != 0)
        return STATUS_END_OF_FILE;
    return sound.Read(context, file, offset, buffer, length > 4096 ? 4096 : length, bytes);
}

static void test_early_end_is_noticed(void **state) {
    (void)state;
    linux_host.host.Read = ending_read;
    MINIRDR_STATISTICS s = run(STATUS_SUCCESS);

    assert_int_equal(s.SizeChanged, FILES);
    assert_int_equal(s.FilesRead, 0);
}

static NTSTATUS small_read(PVOID context, HANDLE file, LONGLONG offset, PVOID buffer, ULONG length,
                           PULONG bytes) {
    return sound.Read(context, file, offset, buffer, length > 7 ? 7 : length, bytes);
}

static void test_small_reads_add_up(void **state) {
    (void)state;
    linux_host.host.Read = small_read;
    MINIRDR_STATISTICS s = run(STATUS_SUCCESS);

    assert_int_equal(s.FilesRead, FILES);
    assert_int_equal(s.Bytes, FILES * FILE_BYTES);
}

static NTSTATUS failing_read(PVOID context, HANDLE file, LONGLONG offset, PVOID buffer,
                             ULONG length, PULONG bytes) {
    (void)context, (void)file, (void)offset, (void)buffer, (void)length, (void)bytes;
    return STATUS_IO_DEVICE_ERROR;
}

static void test_failing_reads_are_named(void **state) {
    (void)state;
    linux_host.host.Read = failing_read;
    MINIRDR_STATISTICS s = run(STATUS_SUCCESS);

    assert_int_equal(s.Unreadable, FILES);
    assert_non_null(strstr(linux_host.events[HostEventUnreadable].line[0], strerror(EIO)));
}

static NTSTATUS failing_open(PVOID context, HANDLE below, PCUNICODE_STRING name, PHANDLE file,
                             PHOST_FILE_INFO info) {
    if (below != NULL)
        return STATUS_ACCESS_DENIED;
    return sound.Open(context, below, name, file, info);
}

static void test_failing_opens_leave_nothing(void **state) {
    (void)state;
    linux_host.host.Open = failing_open;
    MINIRDR_STATISTICS s = run(STATUS_SUCCESS);

    assert_int_equal(s.Unreadable, FILES);
    assert_int_equal(s.Opens, 1);
}

static NTSTATUS no_threads(PVOID context, ULONG count, PHOST_THREAD_ROUTINE routine,
                           PVOID parameter) {
    (void)context, (void)count, (void)routine, (void)parameter;
    return STATUS_INSUFFICIENT_RESOURCES;
}

static void test_works_without_threads(void **state) {
    (void)state;
    linux_host.host.RunThreads = no_threads;
    assert_int_equal(run(STATUS_SUCCESS).FilesRead, FILES);
}

/* Every two bytes that a name can hold come back as they were, and hold no separator on the way. */
static void test_names_lose_nothing(void **state) {
    (void)state;
    for (unsigned pair = 0x101; pair <= 0xFFFF; pair++) {
        char bytes[6] = {'\355', (char)pair, (char)(pair >> 8),
                         '\360', (char)pair, (char)(pair >> 8)};
        WCHAR units[6];

        if (bytes[1] == 0 || bytes[2] == 0 || bytes[1] == '/' || bytes[2] == '/')
            continue;
        size_t count = names_decode(units, bytes, sizeof(bytes));
        UNICODE_STRING name = {(USHORT)(count * sizeof(WCHAR)), sizeof(units), units};
        char *back = names_encode(&name);

        assert_in_range(count, 1, 6);
        for (size_t i = 0; i < count; i++)
            assert_int_not_equal(units[i], '\\');
        assert_int_equal(strlen(back), sizeof(bytes));
        assert_memory_equal(back, bytes, sizeof(bytes));
        free(back);
    }
}

#define OVER_HOST(test) cmocka_unit_test_setup_teardown(test, connect_host, disconnect_host)

int main(void) {
    const struct CMUnitTest tests[] = {
        OVER_HOST(test_sound),
        OVER_HOST(test_one_bit_is_noticed),
        OVER_HOST(test_early_end_is_noticed),
        OVER_HOST(test_small_reads_add_up),
        OVER_HOST(test_failing_reads_are_named),
        OVER_HOST(test_failing_opens_leave_nothing),
        OVER_HOST(test_works_without_threads),
        cmocka_unit_test(test_names_lose_nothing),
    };

    return cmocka_run_group_tests(tests, plant, clear);
}
