/* What the checker gets through: no memory for records, faults, signals in the middle of a report. */
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>

#define RXPOOL_CHECKED 1
#include <ntifs.h>
#include <ntrxdef.h>

#include "base/base.h"
#include "check/map/record.h"
#include "child.h"

#define TAG 0x74736554u

/* NOLINTBEGIN(bugprone-signal-handler): what a handler may not do is what is tested. */
static void *allocate(ULONG size) {
    return RxAllocatePoolWithTag(NonPagedPoolNx, size, TAG);
}

static void *damaged(void) {
    unsigned char *p = allocate(50);
    p[50] ^= 1;
    return p;
}

static void expect(bool what) {
    if (!what)
        _exit(3);
}

/* --- records run out ------------------------------------------------------------------------- */

static bool no_more_records;

bool __real_plat_commit(void *address, size_t size);
bool __wrap_plat_commit(void *address, size_t size);

bool __wrap_plat_commit(void *address, size_t size) {
    uintptr_t offset = (uintptr_t)address - (uintptr_t)record_base;
    if (no_more_records && offset < (uintptr_t)1 << 34)
        return false;
    return __real_plat_commit(address, size);
}

/* There is room for some thousand records when no more memory is to be had for them. */
static void beyond_the_last_record(void) {
    enum { BLOCKS = 10000 };
    static unsigned char *p[BLOCKS];
    unsigned char *early = damaged();
    no_more_records = true;
    for (int i = 0; i < BLOCKS; i++) {
        p[i] = allocate(20);
        expect(p[i] != NULL);
        memset(p[i], i, 20);
    }
    expect(!RxCheckMemoryBlock(p[BLOCKS - 1]));
    for (int i = 0; i < BLOCKS; i++) {
        expect(p[i][19] == (unsigned char)i);
        RxFreePool(p[i]);
    }
    RxFreePool(early);
}

static void records_run_out(void **state) {
    (void)state;
    assert_int_equal(run(beyond_the_last_record, "on_error=log:quarantine=0"), 0);
    assert_int_equal(
        times_said("rxpool: no memory for more records: further blocks are not checked\n"), 1);
    assert_int_equal(times_said("*** STOP"), 1); /* what has a record is checked as before */
    assert_int_equal(times_said("what: bytes behind the end of a block were overwritten\n"), 1);
    assert_int_equal(times_said("what: a block without an RX_POOL_HEADER was checked\n"), 1);
}

/* --- faults ---------------------------------------------------------------------------------- */

/* A page that nobody may touch: a sanitizer has a word of its own on NULL. */
static volatile int *nowhere;

static void go_on_in_handler(int signal) {
    (void)signal;
    for (int i = 0; i < 1000; i++)
        RxFreePool(allocate(100));
    RxCheckAllMemoryBlocks();
    RxFreePool(damaged());
    _exit(0);
}

static void fault_in_handler(int signal) {
    (void)signal;
    *nowhere = 1;
}

static void fault_in_a_handler(void) {
    nowhere = mmap(NULL, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(nowhere != MAP_FAILED);
    signal(SIGSEGV, go_on_in_handler);
    signal(SIGUSR1, fault_in_handler);
    raise(SIGUSR1);
}

/* The program's handler for faults may use the pool, and its misuses are told. */
static void a_fault_in_a_signal_handler(void **state) {
    (void)state;
#ifdef __SANITIZE_THREAD__
    print_message("skipped: TSan runs a handler later, where a fault ends the program\n");
    skip();
#endif
    assert_true(WIFSIGNALED(run(fault_in_a_handler, "")));
    assert_int_equal(times_said("*** STOP: 0x0000013A"), 1);
    assert_int_equal(run(fault_in_a_handler, "on_error=log"), 0);
    assert_int_equal(times_said("*** STOP: 0x0000013A"), 1);
}

static void fault_in_a_free(void) {
    char *p = RxAllocatePoolWithTag(PagedPool, 8192, TAG);
    signal(SIGSEGV, go_on_in_handler);
    mprotect(p, 8192, PROT_NONE);
    RxFreePool(p); /* fills it */
}

/* The memory of the block that is freed has gone: the fault finds nothing locked. */
static void a_fault_in_the_checker(void **state) {
    (void)state;
    assert_int_equal(run(fault_in_a_free, "on_error=log"), 0);
    assert_int_equal(times_said("*** STOP: 0x0000013A"), 1);
}

/* --- a violation in the middle of a report --------------------------------------------------- */

static char fifo[] = "/tmp/rxpool-survival-XXXXXX/fifo";

static void free_damaged(int signal) {
    (void)signal;
    RxFreePool(damaged());
}
/* NOLINTEND(bugprone-signal-handler) */

/* Nobody reads the FIFO, so the report waits to be given out when the timer comes. */
static void violation_while_reporting(void) {
    struct itimerval soon = {.it_value = {.tv_usec = 50000}};
    signal(SIGALRM, free_damaged);
    setitimer(ITIMER_REAL, &soon, NULL);
    RxFreePool(damaged());
}

static void a_violation_while_reporting(void **state) {
    char options[100];
    (void)state;
    *strrchr(fifo, '/') = '\0';
    assert_non_null(mkdtemp(fifo));
    fifo[strlen(fifo)] = '/';
    assert_int_equal(mkfifo(fifo, 0600), 0);
    snprintf(options, sizeof options, "on_error=log:report=%s", fifo);
    int status = run(violation_while_reporting, options);
    unlink(fifo);
    *strrchr(fifo, '/') = '\0';
    rmdir(fifo);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_string_equal(
        said, "*** STOP: a further violation was found while this one was being reported\n");
}

/* --- a fork in the middle of the first call ---------------------------------------------------- */

#ifdef __SANITIZE_THREAD__
/* The threads that a fork leaves behind are no leak of the child's. */
const char *__tsan_default_options(void);
RXP_EXPORT const char *__tsan_default_options(void) {
    return "report_thread_leaks=0";
}
#endif

static _Atomic bool in_a_start, first_is_slow;

bool __real_plat_at_exit(void (*hook)(void));
bool __wrap_plat_at_exit(void (*hook)(void));
void __real_classes_init(void);
void __wrap_classes_init(void);

static void take_long(void) {
    in_a_start = true;
    usleep(200000);
}

/* The checks' start calls it. */
bool __wrap_plat_at_exit(void (*hook)(void)) {
    if (first_is_slow)
        take_long();
    return __real_plat_at_exit(hook);
}

/* The engine's. */
void __wrap_classes_init(void) {
    if (first_is_slow)
        take_long();
    __real_classes_init();
}

static void *call_checked(void *unused) {
    (void)unused;
    RxFreePool(allocate(100));
    return NULL;
}

static void *call_plain(void *unused) {
    (void)unused;
    ExFreePool(ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG));
    return NULL;
}

/* The child's own first call finds nothing half made, and no lock of a thread that is not there. */
static void fork_during(void *(*first)(void *)) {
    pthread_t thread;
    int status;
    first_is_slow = true;
    expect(pthread_create(&thread, NULL, first, NULL) == 0);
    while (!in_a_start)
        usleep(1000);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        first_is_slow = false;
        for (int i = 0; i < 100; i++) {
            call_checked(NULL);
            call_plain(NULL);
        }
        expect(RxCheckAllMemoryBlocks() == 0);
        RxFreePool(damaged());
        _exit(0);
    }
    expect(waitpid(child, &status, 0) == child);
    pthread_join(thread, NULL);
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void fork_during_checked(void) {
    fork_during(call_checked);
}

static void fork_during_plain(void) {
    fork_during(call_plain);
}

static void a_fork_during_the_first_call(void **state) {
    (void)state;
    assert_int_equal(run(fork_during_checked, "on_error=log"), 0);
    assert_int_equal(times_said("*** STOP: 0x0000013A"), 1);
    assert_int_equal(run(fork_during_plain, "on_error=log"), 0);
    assert_int_equal(times_said("*** STOP: 0x0000013A"), 1);
}

/* --- an overwritten list ----------------------------------------------------------------------- */

/* The list leads to a block in use; a request for zeroes is not to wipe it before that is found. */
static void zeroes_through_a_list(void) {
    POOL_TYPE zero = (POOL_TYPE)(NonPagedPoolNx | POOL_ZERO_ALLOCATION);
    char *used = allocate(100), *freed = allocate(100);
    char *memory = used - sizeof(RX_POOL_HEADER);
    memset(used, 'u', 100);
    RxFreePool(freed);
    memcpy(freed - sizeof(RX_POOL_HEADER), &memory, sizeof memory);
    for (int i = 0; i < 4; i++) {
        char *p = RxAllocatePoolWithTag(zero, 100, TAG);
        expect(p != NULL && p != used && p[0] == 0 && memcmp(p, p + 1, 99) == 0);
    }
    for (int i = 0; i < 100; i++)
        expect(used[i] == 'u');
    RxFreePool(used);
}

static void a_list_to_a_block_in_use(void **state) {
    (void)state;
    assert_int_equal(run(zeroes_through_a_list, "on_error=log:quarantine=0"), 0);
    assert_int_equal(times_said("what: the pool handed out a block that is in use"), 1);
    assert_int_equal(times_said("*** STOP"), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_run_out),
        cmocka_unit_test(a_fault_in_a_signal_handler),
        cmocka_unit_test(a_fault_in_the_checker),
        cmocka_unit_test(a_violation_while_reporting),
        cmocka_unit_test(a_fork_during_the_first_call),
        cmocka_unit_test(a_list_to_a_block_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
