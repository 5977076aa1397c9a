/* RXPOOL_OPTIONS break=: each case in a process of its own, with its options. */
#include "unit.h"

#include <signal.h>

#include <ntifs.h>

#define RXPOOL_CHECKED 1
#include <ntrxdef.h>

#include "answer.h"
#include "base/base.h"

static unsigned allocations, broke_at;

static void note_break(int number) {
    (void)number;
    broke_at = allocations + 1;
}

static uint64_t allocate_300(void) {
    signal(SIGTRAP, note_break);
    for (allocations = 0; allocations < 300; allocations++) {
        unsigned seen = broke_at;
        void *p = RxAllocatePoolWithTag(PagedPool, 32, 'tseT');
        MUST(p != NULL && (seen == 0 || broke_at == seen));
        if (allocations % 3 == 0)
            RxFreePool(p);
    }
    return broke_at;
}

/* With one thread, the number of an allocation is how many there were. */
static void the_allocation_of_that_number_breaks(void **state) {
    (void)state;
    static const unsigned at[] = {1, 2, 63, 64, 65, 66, 127, 128, 129, 200, 256, 300};
    char options[32];
    for (size_t i = 0; i < RXP_COUNT(at); i++) {
        snprintf(options, sizeof options, "break=%u", at[i]);
        assert_int_equal(in_child(options, allocate_300), at[i]);
    }
    assert_int_equal(in_child("break=301", allocate_300), 0);
    assert_int_equal(in_child("", allocate_300), 0);
}

static void without_a_debugger_it_ends(void **state) {
    (void)state;
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        setenv("RXPOOL_OPTIONS", "break=3", 1);
        signal(SIGTRAP, SIG_DFL);
        for (unsigned i = 0; i < 5; i++)
            RxAllocatePoolWithTag(PagedPool, 32, 'tseT');
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTRAP);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_allocation_of_that_number_breaks),
        cmocka_unit_test(without_a_debugger_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
