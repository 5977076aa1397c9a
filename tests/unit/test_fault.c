/* ex/fault.h, asked directly: which requests fail. Each case in a process of its own, with its options. */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "answer.h"
#include "ex/fault.h"
#include "ex/fault_stacks.h"

#define TAG_A 0x41414141u
#define TAG_B 0x42424242u

struct work {
    uint64_t (*routine)(void);
    uint64_t answer;
};

static void *work(void *argument) {
    struct work *w = argument;
    w->answer = w->routine();
    return NULL;
}

/* In a thread, so that the stack begins with it and not with the test that wants it. */
static uint64_t in_thread(uint64_t (*routine)(void)) {
    struct work w = {routine, 0};
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, work, &w) == 0);
    MUST(pthread_join(thread, NULL) == 0);
    return w.answer;
}

static uint64_t (*asked)(void);

static uint64_t ask_in_thread(void) {
    return in_thread(asked);
}

static uint64_t thread_in_child(const char *options, uint64_t (*routine)(void)) {
    asked = routine;
    return in_child(options, ask_in_thread);
}

static bool ask(uint32_t tag, uint64_t size, bool paged) {
    const struct fault_request r = {
        .tag = tag, .size = size, .paged = paged, .file = "here.c", .line = 1};
    return fault_inject(&r);
}

/* Bit i: request i + 1 failed. */
static uint64_t ask_64(void) {
    uint64_t failed = 0;
    for (unsigned i = 0; i < 64; i++)
        failed |= (uint64_t)ask(TAG_A, 64, true) << i;
    return failed;
}

static void the_nth_fails_alone(void **state) {
    (void)state;
    assert_int_equal(thread_in_child("fail=1", ask_64), 1);
    assert_int_equal(thread_in_child("fail=5", ask_64), 1u << 4);
    assert_int_equal(thread_in_child("fail=65", ask_64), 0);
    assert_int_equal(thread_in_child("", ask_64), 0);
}

static void a_percentage_is_drawn_by_the_seed(void **state) {
    (void)state;
    uint64_t first = thread_in_child("fail=50%:fail_seed=1", ask_64);
    assert_int_equal(thread_in_child("fail=50%:fail_seed=1", ask_64), first);
    assert_int_not_equal(thread_in_child("fail=50%:fail_seed=2", ask_64), first);
    assert_in_range(__builtin_popcountll(first), 16, 48);
    assert_in_range(__builtin_popcountll(thread_in_child("fail=10%:fail_seed=1", ask_64)), 1, 16);
    assert_true(thread_in_child("fail=100%", ask_64) == UINT64_MAX);
}

static uint64_t ask_100000(void) {
    uint64_t failed = 0;
    for (unsigned i = 0; i < 100000; i++)
        failed += ask(TAG_A, 64, true);
    return failed;
}

static void a_percentage_is_what_it_says(void **state) {
    (void)state;
    assert_in_range(thread_in_child("fail=1%", ask_100000), 900, 1100);
    assert_in_range(thread_in_child("fail=30%:fail_seed=77", ask_100000), 29300, 30700);
}

static void failures_are_bounded(void **state) {
    (void)state;
    assert_int_equal(thread_in_child("fail=100%:fail_most=3", ask_64), 7);
    assert_int_equal(thread_in_child("fail=100%:fail_most=0", ask_64), UINT64_MAX);
    assert_int_equal(thread_in_child("fail=100%:fail_record=1:report=/dev/null", ask_64), 0);
}

static void *ask_1000(void *argument) {
    uint64_t *failed = argument;
    for (unsigned i = 0; i < 1000; i++)
        *failed += ask(TAG_A, 64, true);
    return NULL;
}

static uint64_t ask_in_threads(void) {
    pthread_t thread[4];
    uint64_t failed[4] = {0};
    for (unsigned i = 0; i < 4; i++)
        MUST(pthread_create(&thread[i], NULL, ask_1000, &failed[i]) == 0);
    for (unsigned i = 0; i < 4; i++)
        MUST(pthread_join(thread[i], NULL) == 0);
    return failed[0] + failed[1] + failed[2] + failed[3];
}

/* Which numbers fail does not depend on whose they are. */
static void threads_are_counted_together(void **state) {
    (void)state;
    assert_int_equal(thread_in_child("fail=3000", ask_in_threads), 1);
    assert_int_equal(thread_in_child("fail=4001", ask_in_threads), 0);
    assert_int_equal(thread_in_child("fail=100%:fail_most=77", ask_in_threads), 77);
    uint64_t drawn = thread_in_child("fail=20%", ask_in_threads);
    assert_int_equal(thread_in_child("fail=20%", ask_in_threads), drawn);
    assert_int_equal(thread_in_child("fail=new-stack", ask_in_threads), 1);
}

/* --- filters ------------------------------------------------------------------------------------ */

/* Bit i for the i-th of these: what does not pass is not counted either. */
static uint64_t ask_filtered(void) {
    return (uint64_t)ask(TAG_A, 10, true) | (uint64_t)ask(TAG_B, 10, true) << 1 |
           (uint64_t)ask(TAG_A, 100, false) << 2 | (uint64_t)ask(TAG_B, 101, false) << 3 |
           (uint64_t)ask(TAG_A, 200, true) << 4;
}

static void filters_let_pass_what_they_name(void **state) {
    (void)state;
    assert_int_equal(thread_in_child("fail=100%", ask_filtered), 31);
    assert_int_equal(thread_in_child("fail=100%:fail_tag=B*", ask_filtered), 2 + 8);
    assert_int_equal(thread_in_child("fail=100%:fail_type=paged", ask_filtered), 1 + 2 + 16);
    assert_int_equal(thread_in_child("fail=100%:fail_type=nonpaged", ask_filtered), 4 + 8);
    assert_int_equal(thread_in_child("fail=100%:fail_size=100", ask_filtered), 4);
    assert_int_equal(thread_in_child("fail=100%:fail_size=100-101", ask_filtered), 4 + 8);
    assert_int_equal(thread_in_child("fail=100%:fail_size=101-1K:fail_tag=AAAA", ask_filtered), 16);
    assert_int_equal(thread_in_child("fail=2:fail_type=nonpaged", ask_filtered), 8);
}

/* --- call stacks -------------------------------------------------------------------------------- */

static RXP_NOINLINE bool from_one_place(void) {
    bool failed = ask(TAG_A, 64, true);
    __asm__ volatile("");
    return failed;
}

static RXP_NOINLINE bool from_another(void) {
    bool failed = from_one_place();
    __asm__ volatile("");
    return failed;
}

static RXP_NOINLINE bool nested(unsigned depth) {
    bool failed = depth == 0 ? from_one_place() : nested(depth - 1);
    __asm__ volatile("");
    return failed;
}

/* Bit i: pass i over the same places failed there. */
static uint64_t ask_places(void) {
    uint64_t failed = 0;
    for (unsigned i = 0; i < 3; i++) {
        failed |= (uint64_t)from_one_place() << (3 * i);
        failed |= (uint64_t)from_another() << (3 * i + 1);
        failed |= (uint64_t)nested(1 + 7 * i) << (3 * i + 2); /* to any depth the same frames */
    }
    return failed;
}

static void each_stack_fails_once(void **state) {
    (void)state;
    assert_int_equal(thread_in_child("fail=new-stack", ask_places), 7);
    assert_int_equal(thread_in_child("fail=new-stack:fail_most=2", ask_places), 3);
}

static char file[64];

static void write_file(const char *text) {
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static size_t read_file(char *out, size_t size) {
    int fd = open(file, O_RDONLY);
    ssize_t got = fd >= 0 ? read(fd, out, size - 1) : 0;
    close(fd);
    out[got > 0 ? got : 0] = '\0';
    return got > 0 ? (size_t)got : 0;
}

static const char *with_file(const char *options) {
    static char all[256];
    snprintf(all, sizeof all, "%s:fail_file=%s", options, file);
    return all;
}

static unsigned lines_of(const char *text) {
    unsigned lines = 0;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

static void reruns_go_on(void **state) {
    (void)state;
    char text[4096];
    unlink(file);
    assert_int_equal(thread_in_child(with_file("fail=new-stack:fail_most=1"), ask_places), 1);
    assert_int_equal(thread_in_child(with_file("fail=new-stack:fail_most=1"), ask_places), 2);
    assert_int_equal(thread_in_child(with_file("fail=new-stack"), ask_places), 4);
    assert_int_equal(thread_in_child(with_file("fail=new-stack"), ask_places), 0);
    read_file(text, sizeof text);
    assert_int_equal(lines_of(text), 3);
    assert_string_equal(text + 16, strstr(text, " here.c:1\n"));
}

static void one_stack_by_its_number(void **state) {
    (void)state;
    char text[4096], options[64];
    unlink(file);
    thread_in_child(with_file("fail=new-stack"), ask_places);
    read_file(text, sizeof text);
    for (unsigned i = 0; i < 3; i++) {
        snprintf(options, sizeof options, "fail=@%.16s",
                 text + i * strlen("0123456789abcdef here.c:1\n"));
        assert_int_equal(thread_in_child(options, ask_places), 1u << i);
    }
    snprintf(options, sizeof options, "fail=@%.16s,@%.16s", text, text + 26);
    assert_int_equal(thread_in_child(options, ask_places), 3);
}

static void a_recorded_stack_is_not_kept(void **state) {
    (void)state;
    unlink(file);
    assert_int_equal(
        thread_in_child(with_file("fail=new-stack:fail_record=1:report=/dev/null"), ask_places), 0);
    assert_int_equal(access(file, F_OK), -1);
}

/* What is no whole line is passed over, and the next one begins on a line of its own. */
static void a_torn_file_is_read(void **state) {
    (void)state;
    char text[4096], whole[4096], torn[4200];
    unlink(file);
    thread_in_child(with_file("fail=new-stack"), ask_places);
    read_file(whole, sizeof whole);
    size_t line = strlen("0123456789abcdef here.c:1\n");
    assert_int_equal(strlen(whole), 3 * line);

    snprintf(torn, sizeof torn, "# remark\n\n%.*s\n0123\nxyz\n%.9s", (int)line - 1, whole,
             whole + line);
    write_file(torn);
    assert_int_equal(thread_in_child(with_file("fail=new-stack"), ask_places), 2 + 4);
    size_t before = strlen(torn);
    read_file(text, sizeof text);
    assert_int_equal(text[before], '\n');
    assert_int_equal(thread_in_child(with_file("fail=new-stack"), ask_places), 0);
}

static void a_file_that_cannot_be_written_stops_nothing(void **state) {
    (void)state;
    int saved = dup(2), nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, 2); /* its note */
    assert_int_equal(thread_in_child("fail=new-stack:fail_file=/nowhere/at/all", ask_places), 7);
    dup2(saved, 2);
    close(saved);
    close(nowhere);
}

/* One process fails what another has not yet told it of; each line is whole. */
static void processes_share_a_file(void **state) {
    (void)state;
    char text[4096];
    pid_t pid[8];
    unlink(file);
    for (unsigned i = 0; i < 8; i++) {
        if ((pid[i] = fork()) == 0) {
            setenv("RXPOOL_OPTIONS", with_file("fail=new-stack"), 1);
            in_thread(ask_places);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < 8; i++)
        waitpid(pid[i], NULL, 0);
    size_t length = read_file(text, sizeof text), line = strlen("0123456789abcdef here.c:1\n");
    assert_int_equal(length % line, 0);
    for (size_t at = 0; at < length; at += line)
        assert_memory_equal(text + at + 16, " here.c:1\n", 10);
    assert_int_equal(thread_in_child(with_file("fail=new-stack"), ask_places), 0);
}

static int name_file(void **state) {
    (void)state;
    snprintf(file, sizeof file, "/tmp/rxpool-fault-%d", (int)getpid());
    return 0;
}

static int remove_file(void **state) {
    (void)state;
    unlink(file);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nth_fails_alone),
        cmocka_unit_test(a_percentage_is_drawn_by_the_seed),
        cmocka_unit_test(a_percentage_is_what_it_says),
        cmocka_unit_test(failures_are_bounded),
        cmocka_unit_test(threads_are_counted_together),
        cmocka_unit_test(filters_let_pass_what_they_name),
        cmocka_unit_test(each_stack_fails_once),
        cmocka_unit_test(reruns_go_on),
        cmocka_unit_test(one_stack_by_its_number),
        cmocka_unit_test(a_recorded_stack_is_not_kept),
        cmocka_unit_test(a_torn_file_is_read),
        cmocka_unit_test(a_file_that_cannot_be_written_stops_nothing),
        cmocka_unit_test(processes_share_a_file),
    };
    return cmocka_run_group_tests(tests, name_file, remove_file);
}
