/* base/text.h */
#include "unit.h"

#include "base/text.h"

static char buffer[256];
static struct text t;

static int start(void **state) {
    (void)state;
    text_init(&t, buffer, sizeof buffer);
    return 0;
}

static void numbers(void **state) {
    (void)state;
    text_decimal(&t, 0);
    text_char(&t, ' ');
    text_decimal(&t, UINT64_MAX);
    text_char(&t, ' ');
    text_hex(&t, 0xBEEF, 8);
    text_char(&t, ' ');
    text_hex(&t, UINT64_MAX, 1);
    text_char(&t, ' ');
    text_address(&t, 0xABC0);
    text_char(&t, ' ');
    text_address(&t, 0);
    assert_string_equal(buffer, "0 18446744073709551615 0000BEEF FFFFFFFFFFFFFFFF 0xabc0 0x0");
}

static void tags_show_in_memory_order(void **state) {
    (void)state;
    text_tag(&t, 0x74736554);
    text_char(&t, ' ');
    text_tag(&t, 0x00004152);
    text_char(&t, ' ');
    text_tag(&t, 0x80074142);
    assert_string_equal(buffer, "Test RA BA\\x07\\x80");
}

static void dump_rows(void **state) {
    (void)state;
    text_dump(&t, 0x1000, (const unsigned char *)"ABCDEFGHIJKLMNOP\x01Z", 18);
    assert_string_equal(
        buffer, "  0x1000  41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f 50 |ABCDEFGHIJKLMNOP|\n"
                "  0x1010  01 5a                                           |.Z|\n");
}

static void what_does_not_fit_is_cut(void **state) {
    (void)state;
    char small[8];
    memset(small, 'x', sizeof small);
    text_init(&t, small, 5);
    text_string(&t, "1234");
    assert_false(t.cut);
    text_string(&t, "5678");
    assert_true(t.cut);
    assert_string_equal(small, "1234");
    assert_int_equal(t.length, 4);
    assert_memory_equal(small + 5, "xxx", 3);
}

static void bytes_need_no_terminator(void **state) {
    (void)state;
    text_bytes(&t, "abcdef", 3);
    assert_string_equal(buffer, "abc");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(numbers, start),
        cmocka_unit_test_setup(tags_show_in_memory_order, start),
        cmocka_unit_test_setup(dump_rows, start),
        cmocka_unit_test_setup(what_does_not_fit_is_cut, start),
        cmocka_unit_test_setup(bytes_need_no_terminator, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
