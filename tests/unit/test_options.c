/* base/options.h */
#include "unit.h"

#include "base/options.h"

static struct options o;
static char said[8192];

static void listen(const char *line) {
    strncat(said, line, sizeof said - strlen(said) - 1);
    strncat(said, "\n", sizeof said - strlen(said) - 1);
}

static unsigned parse(const char *spec) {
    said[0] = '\0';
    options_defaults(&o);
    return options_parse(&o, spec, listen);
}

static void good_values_are_taken(void **state) {
    (void)state;
    assert_int_equal(parse("limit=512M:quarantine=64k:purge=10:by=site:on_error=log:attach=user:"
                           "leaks=fatal:fill=0:stats=exit:report=/tmp/r.txt:strict=irql,args"),
                     0);
    assert_string_equal(said, "");
    assert_int_equal(o.limit, 512u << 20);
    assert_int_equal(o.quarantine, 64u << 10);
    assert_int_equal(o.purge_ms, 10);
    assert_int_equal(o.by, OPTIONS_BY_SITE);
    assert_int_equal(o.on_error, OPTIONS_LOG);
    assert_int_equal(o.attach, OPTIONS_ATTACH_USER);
    assert_int_equal(o.leaks, OPTIONS_LEAKS_FATAL);
    assert_false(o.fill);
    assert_true(o.stats_exit);
    assert_string_equal(o.report, "/tmp/r.txt");
    assert_int_equal(o.strict, OPTIONS_STRICT_IRQL | OPTIONS_STRICT_ARGS);
    assert_int_equal(parse("strict=1"), 0);
    assert_int_equal(o.strict, OPTIONS_STRICT_ALL);
    assert_int_equal(parse("limit=16777215T"), 0);
    assert_int_equal(o.limit, 16777215ull << 40);
}

static void empty_items_are_nothing(void **state) {
    (void)state;
    assert_int_equal(parse(""), 0);
    assert_int_equal(parse("::limit=1::"), 0);
    assert_int_equal(o.limit, 1);
    assert_string_equal(said, "");
}

/* A bad item is named with what would be valid; nothing of it is taken, and the others are. */
static void bad(const char *spec, const char *names, const char *valid) {
    char whole[512];
    strcpy(whole, spec);
    strcat(whole, ":purge=77");
    assert_int_equal(parse(whole), 1);
    assert_non_null(strstr(said, names));
    assert_non_null(strstr(said, valid));
    assert_int_equal(o.purge_ms, 77);
    struct options defaults;
    options_defaults(&defaults);
    defaults.purge_ms = 77;
    assert_memory_equal(&o, &defaults, sizeof o);
}

static void bad_values_are_named(void **state) {
    (void)state;
    bad("colour=red", "'colour'", "quarantine, report, stats, strict, help");
    bad("limit", "limit needs a value", "a size such as 512M");
    bad("limit=", "'' is no value for limit", "a size");
    bad("limit=12Q", "'12Q'", "a size");
    bad("limit=-1", "'-1'", "a size");
    bad("limit=M", "'M'", "a size");
    bad("limit=18446744073709551616", "'18446744073709551616'", "a size");
    bad("limit=18446744073709551615K", "no value", "a size");
    bad("fill=yes", "'yes'", "0 or 1");
    bad("by=thread", "'thread'", "module, site or tag");
    bad("strict=irql,foo", "'irql,foo'", "irql, foreign, interior and args");
    bad("strict=irql,", "no value for strict", "comma list");
    bad("leaks=2", "'2'", "0, 1 or fatal");
    bad("purge=4294967296", "'4294967296'", "milliseconds");
    bad("report=", "no value for report", "file name");
    bad("helpme", "'helpme'", "valid are");
}

static void long_file_name_is_refused(void **state) {
    (void)state;
    char spec[400] = "report=";
    memset(spec + 7, 'a', 256);
    assert_int_equal(parse(spec), 1);
    assert_string_equal(o.report, "");
    spec[7 + 255] = '\0';
    assert_int_equal(parse(spec), 0);
    assert_int_equal(strlen(o.report), 255);
}

static void help_lists_every_key(void **state) {
    (void)state;
    static const char *const keys[] = {
        "attach=", "by=",     "fill=",       "leaks=", "limit=", "on_error=",
        "purge=",  "report=", "quarantine=", "stats=", "strict="};
    assert_int_equal(parse("help"), 0);
    for (size_t i = 0; i < RXP_COUNT(keys); i++)
        assert_non_null(strstr(said, keys[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_values_are_taken), cmocka_unit_test(empty_items_are_nothing),
        cmocka_unit_test(bad_values_are_named),  cmocka_unit_test(long_file_name_is_refused),
        cmocka_unit_test(help_lists_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
