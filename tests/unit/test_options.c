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
    assert_int_equal(o.logged, (1u << KINDS) - 1);
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

static void check_options_are_taken(void **state) {
    (void)state;
    assert_int_equal(parse("on_error=overrun,leak"), 0);
    assert_int_equal(o.logged, 1u << KIND_OVERRUN | 1u << KIND_LEAK);
    assert_int_equal(parse("checked=1:stacks=32:sweep=100:break=7"), 0);
    assert_true(o.checked);
    assert_int_equal(o.stacks, 32);
    assert_int_equal(o.sweep, 100);
    assert_int_equal(o.break_at, 7);
    assert_int_equal(parse("special=Rx*,Fcb:special=4K:special=1/5000:special_side=under"), 0);
    assert_string_equal(o.special_tags, "Rx*,Fcb");
    assert_int_equal(o.special_size, 4096);
    assert_int_equal(o.special_every, 5000);
    assert_int_equal(o.special_side, OPTIONS_SIDE_UNDER);
    assert_int_equal(parse("special_side=exact"), 0);
    assert_int_equal(o.special_side, OPTIONS_SIDE_EXACT);
    assert_int_equal(parse("fail=3:fail_tag=*"), 0);
    assert_int_equal(o.fail, OPTIONS_FAIL_NTH);
    assert_int_equal(o.fail_number, 3);
    assert_string_equal(o.fail_tags, "*");
    assert_int_equal(parse("fail=100%:fail_seed=9"), 0);
    assert_int_equal(o.fail, OPTIONS_FAIL_PERCENT);
    assert_int_equal(o.fail_number, 100);
    assert_int_equal(o.fail_seed, 9);
    assert_int_equal(parse("fail=new-stack"), 0);
    assert_int_equal(o.fail, OPTIONS_FAIL_STACK);
    assert_int_equal(parse("fail=@1f,@0123456789abcdef"), 0);
    assert_int_equal(o.fail, OPTIONS_FAIL_STACKS);
    assert_int_equal(o.fail_stacks, 2);
    assert_int_equal(o.fail_stack[0], 0x1f);
    assert_int_equal(o.fail_stack[1], 0x0123456789abcdef);
    assert_int_equal(o.fail_size_most, UINT64_MAX);
    assert_int_equal(parse("fail_size=16-4K:fail_type=nonpaged:fail_file=seen:fail_most=1:"
                           "fail_record=1"),
                     0);
    assert_int_equal(o.fail_size_least, 16);
    assert_int_equal(o.fail_size_most, 4096);
    assert_int_equal(o.fail_type, OPTIONS_POOL_NONPAGED);
    assert_string_equal(o.fail_file, "seen");
    assert_int_equal(o.fail_most, 1);
    assert_true(o.fail_record);
    assert_int_equal(parse("fail_size=64"), 0);
    assert_int_equal(o.fail_size_least, 64);
    assert_int_equal(o.fail_size_most, 64);
}

#define TAG(a, b, c, d)                                                                            \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

static void tags_are_matched_by_pattern(void **state) {
    (void)state;
    uint32_t fcb = TAG('R', 'x', 'F', 'c');
    assert_true(options_tag_in("RxFc", fcb));
    assert_true(options_tag_in("*", fcb));
    assert_true(options_tag_in("R*c", fcb));
    assert_true(options_tag_in("?xF?", fcb));
    assert_true(options_tag_in("abcd,Rx*", fcb));
    assert_true(options_tag_in("**RxFc**", fcb));
    assert_true(options_tag_in("ab", TAG('a', 'b', 0, 0)));
    assert_false(options_tag_in("", fcb));
    assert_false(options_tag_in("RxF", fcb));
    assert_false(options_tag_in("RxFc?", fcb));
    assert_false(options_tag_in("xF*", fcb));
    assert_false(options_tag_in("abcd,efgh", fcb));
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
    bad("colour=red", "'colour'", "special, special_side, stacks, stats, strict, sweep, help");
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
    bad("checked=yes", "'yes'", "0 or 1");
    bad("stacks=33", "'33'", "0 to 32");
    bad("sweep=often", "'often'", "a number");
    bad("break=0", "'0'", "from 1 up");
    bad("on_error=overrun,", "no value for on_error", "comma list of header");
    bad("on_error=stop,overrun", "'stop,overrun'", "comma list of header");
    bad("special=", "no value for special", "1/N");
    bad("special=2/5", "'2/5'", "1/N");
    bad("special=1/0", "'1/0'", "1/N");
    bad("special=abcde", "'abcde'", "comma list of tags");
    bad("special_side=left", "'left'", "over, under or exact");
    bad("fail=0", "'0'", "a number N");
    bad("fail=101%", "'101%'", "a percentage");
    bad("fail=%", "'%'", "new-stack");
    bad("fail_tag=a,,b", "'a,,b'", "comma list of tags");
    bad("fail=@", "'@'", "@HASH");
    bad("fail=@12,", "'@12,'", "@HASH");
    bad("fail=@12,34", "'@12,34'", "@HASH");
    bad("fail=@0123456789abcdef0", "no value for fail", "@HASH");
    bad("fail_size=9-8", "'9-8'", "MIN-MAX");
    bad("fail_size=9-", "'9-'", "MIN-MAX");
    bad("fail_type=all", "'all'", "paged or nonpaged");
    bad("fail_file=", "no value for fail_file", "file name");
    bad("fail_record=yes", "'yes'", "0 or 1");
    bad("fail_most=x", "'x'", "no bound");
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
        "attach=",       "break=",     "by=",        "checked=",    "fail=",
        "fail_seed=",    "fail_tag=",  "fail_file=", "fail_most=",  "fail_record=",
        "fail_size=",    "fail_type=", "fill=",      "leaks=",      "limit=",
        "on_error=",     "purge=",     "report=",    "quarantine=", "special=",
        "special_side=", "stacks=",    "stats=",     "strict=",     "sweep="};
    assert_int_equal(parse("help"), 0);
    for (size_t i = 0; i < RXP_COUNT(keys); i++)
        assert_non_null(strstr(said, keys[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_values_are_taken),       cmocka_unit_test(empty_items_are_nothing),
        cmocka_unit_test(bad_values_are_named),        cmocka_unit_test(long_file_name_is_refused),
        cmocka_unit_test(help_lists_every_key),        cmocka_unit_test(check_options_are_taken),
        cmocka_unit_test(tags_are_matched_by_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
