/* What ExRaiseStatus raises, and who takes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <ntifs.h>
#include <pseh/pseh2.h>

static void raise_below(NTSTATUS status) {
    ExRaiseStatus(status);
}

static void handler_gets_the_code(void **state) {
    volatile int steps = 0;

    (void)state;
    _SEH2_TRY {
        steps += 1;
        raise_below(STATUS_ACCESS_DENIED);
        steps += 100;
    }
    _SEH2_EXCEPT(_SEH2_GetExceptionCode() == STATUS_ACCESS_DENIED) {
        assert_int_equal(_SEH2_GetExceptionCode(), STATUS_ACCESS_DENIED);
        steps += 10;
    }
    _SEH2_END;
    assert_int_equal(steps, 11);
}

static void handler_is_skipped_without_exception(void **state) {
    volatile int steps = 0;

    (void)state;
    _SEH2_TRY {
        steps += 1;
    }
    _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        steps += 10;
    }
    _SEH2_END;
    assert_int_equal(steps, 1);
}

static void search_goes_on_outside(void **state) {
    volatile int steps = 0;

    (void)state;
    _SEH2_TRY {
        _SEH2_TRY {
            raise_below(STATUS_CANCELLED);
        }
        _SEH2_EXCEPT(_SEH2_GetExceptionCode() == STATUS_NOT_FOUND ? EXCEPTION_EXECUTE_HANDLER
                                                                  : EXCEPTION_CONTINUE_SEARCH) {
            steps += 1;
        }
        _SEH2_END;
        steps += 10;
    }
    _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        assert_int_equal(_SEH2_GetExceptionCode(), STATUS_CANCELLED);
        steps += 100;
    }
    _SEH2_END;
    assert_int_equal(steps, 100);
}

static void finally_runs_either_way(void **state) {
    volatile int steps = 0;

    (void)state;
    _SEH2_TRY {
        steps += 1;
    }
    _SEH2_FINALLY {
        assert_false(_SEH2_AbnormalTermination());
        steps += 10;
    }
    _SEH2_END;
    assert_int_equal(steps, 11);

    _SEH2_TRY {
        _SEH2_TRY {
            raise_below(STATUS_NO_MEMORY);
        }
        _SEH2_FINALLY {
            assert_true(_SEH2_AbnormalTermination());
            steps += 100;
        }
        _SEH2_END;
        steps += 1000;
    }
    _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        assert_int_equal(_SEH2_GetExceptionCode(), STATUS_NO_MEMORY);
        steps += 10000;
    }
    _SEH2_END;
    assert_int_equal(steps, 10111);
}

static int leave_by_return(int how) {
    _SEH2_TRY {
        if (how == 1)
            _SEH2_YIELD(return 1);
        if (how == 2)
            _SEH2_LEAVE;
        return 0;
    }
    _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        return -1;
    }
    _SEH2_END;
    return 2;
}

/* A body that was left must not take what is raised later. */
static void bodies_may_be_left(void **state) {
    volatile int taken = 0;

    (void)state;
    _SEH2_TRY {
        assert_int_equal(leave_by_return(1), 1);
        assert_int_equal(leave_by_return(2), 2);
        raise_below(STATUS_TIMEOUT);
    }
    _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        taken = 1;
    }
    _SEH2_END;
    assert_int_equal(taken, 1);
}

static void raise_in_a_handler_goes_outside(void **state) {
    volatile NTSTATUS outer = 0;

    (void)state;
    _SEH2_TRY {
        _SEH2_TRY {
            raise_below(STATUS_NOT_FOUND);
        }
        _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
            raise_below(STATUS_NO_SUCH_FILE);
        }
        _SEH2_END;
    }
    _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        outer = _SEH2_GetExceptionCode();
    }
    _SEH2_END;
    assert_int_equal(outer, STATUS_NO_SUCH_FILE);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(handler_gets_the_code),
        cmocka_unit_test(handler_is_skipped_without_exception),
        cmocka_unit_test(search_goes_on_outside),
        cmocka_unit_test(finally_runs_either_way),
        cmocka_unit_test(bodies_may_be_left),
        cmocka_unit_test(raise_in_a_handler_goes_outside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
