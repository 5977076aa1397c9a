/* base/stop.h: reports of child processes, read back from a pipe. */
#include "unit.h"

#include <signal.h>

#include "base/stop.h"
#include "child.h"

static void one_report(void) {
    struct stop_report *r = stop_claim();
    stop_begin(r, STOP_BAD_POOL_CALLER, 7, 0, 0xABCDEF, UINT64_MAX, "it happened");
    text_decimal(stop_line(r, "number"), 12);
    stop_end_line(r);
    stop_site(r, "detected at", "file.c", 34);
    stop_site(r, "left out", NULL, 0);
    stop_commit(r);
}

#define REPORT                                                                                     \
    "*** STOP: 0x000000C2 BAD_POOL_CALLER (0x0000000000000007, 0x0000000000000000, "               \
    "0x0000000000ABCDEF, 0xFFFFFFFFFFFFFFFF)\nwhat: it happened\nnumber: 12\n"                     \
    "detected at: file.c:34\n"

static void a_report_has_its_form_and_aborts(void **state) {
    (void)state;
    int status = run(one_report, "");
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_string_equal(said, REPORT);
}

static void twice(void) {
    one_report();
    one_report();
}

static void log_goes_on(void **state) {
    (void)state;
    assert_int_equal(run(twice, "on_error=log"), 0);
    assert_string_equal(said, REPORT REPORT);
}

static void own_buffer(void) {
    static struct stop_report r;
    stop_begin(&r, STOP_BAD_POOL_HEADER, 1, 2, 3, 4, "own");
    stop_commit(&r);
}

static void a_caller_may_bring_the_buffer(void **state) {
    (void)state;
    assert_true(WIFSIGNALED(run(own_buffer, "")));
    assert_non_null(strstr(said, "*** STOP: 0x00000019 BAD_POOL_HEADER ("));
}

static void report_within_a_report(void) {
    stop_begin(stop_claim(), STOP_SPECIAL_POOL, 1, 2, 3, 4, "first");
    one_report();
}

/* Even under on_error=log: whoever reports cannot be trusted to go on. */
static void a_violation_while_reporting_ends_at_once(void **state) {
    (void)state;
    assert_true(WIFSIGNALED(run(report_within_a_report, "on_error=log")));
    assert_string_equal(
        said, "*** STOP: a further violation was found while this one was being reported\n");
}

static void a_warning(void) {
    struct stop_report *r = stop_claim();
    stop_warn(r, "refused");
    stop_commit(r);
}

static void a_warning_goes_on(void **state) {
    (void)state;
    assert_int_equal(run(a_warning, ""), 0);
    assert_string_equal(said, "*** WARNING\nwhat: refused\n");
}

static void overlong(void) {
    struct stop_report *r = stop_claim();
    stop_begin(r, STOP_BAD_POOL_CALLER, 0, 0, 0, 0, "long");
    for (int i = 0; i < STOP_TEXT_CAPACITY / 10; i++)
        text_string(&r->text, "0123456789");
    stop_commit(r);
}

static void a_report_too_long_is_cut(void **state) {
    (void)state;
    run(overlong, "on_error=log");
    assert_int_equal(strlen(said), STOP_TEXT_CAPACITY - 1);
    assert_string_equal(strstr(said, "\ncut"),
                        "\ncut: the report is longer than there is room for\n");
}

static void names(void **state) {
    (void)state;
    assert_string_equal(stop_name(0xC2), "BAD_POOL_CALLER");
    assert_string_equal(stop_name(0x13A), "KERNEL_MODE_HEAP_CORRUPTION");
    assert_string_equal(stop_name(0x12345), "UNKNOWN");
}

static void two_lines(struct text *out) {
    text_string(out, "first: of the trailer\nlast: of the trailer\n");
}

static void with_a_trailer(void) {
    stop_set_trailer(two_lines);
    one_report();
}

static void long_with_a_trailer(void) {
    struct stop_report *r = stop_claim();
    stop_set_trailer(two_lines);
    stop_begin(r, STOP_BAD_POOL_CALLER, 7, 0, 0, 0, "it happened");
    for (unsigned i = 0; i < STOP_TEXT_CAPACITY; i++)
        text_char(&r->text, 'x');
    stop_commit(r);
}

static void a_trailer_ends_every_report(void **state) {
    (void)state;
    run(with_a_trailer, "");
    assert_string_equal(said, REPORT "first: of the trailer\nlast: of the trailer\n");
    run(long_with_a_trailer, "");
    assert_int_equal(strlen(said), STOP_TEXT_CAPACITY - 1);
    assert_string_equal(strstr(said, "xx\n"), "xx\ncut: the report is longer than there is room "
                                              "for\nfirst: of the trailer\nlast: of the trailer\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_has_its_form_and_aborts),
        cmocka_unit_test(a_trailer_ends_every_report),
        cmocka_unit_test(log_goes_on),
        cmocka_unit_test(a_caller_may_bring_the_buffer),
        cmocka_unit_test(a_violation_while_reporting_ends_at_once),
        cmocka_unit_test(a_warning_goes_on),
        cmocka_unit_test(a_report_too_long_is_cut),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
