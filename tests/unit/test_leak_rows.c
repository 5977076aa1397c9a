/* check/leak_rows.h: a row for each site and each stack, and one for what is too much. */
#include <stdio.h>
#include <stdlib.h>

#include "check/leak_rows.h"
#include "check/sites.h"
#include "check/stacks.h"
#include "unit.h"

static const char *path; /* of the file that reports go to */

static unsigned lines_with(const char *text) {
    char line[1024];
    unsigned n = 0;
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL)
        n += strstr(line, text) != NULL;
    fclose(f);
    return n;
}

static void add(uint32_t site, uint64_t size) {
    static unsigned char block[64];
    leak_rows_add(
        &(struct record_info){
            .block = (uintptr_t)block, .size = size, .tag = 0x74736554, .alloc_site = site},
        LEAK_UNTOLD, false);
}

static int begin(void **state) {
    (void)state;
    FILE *f = fopen(path, "w");
    return f == NULL || fclose(f) != 0;
}

static void each_stack_has_a_row(void **state) {
    (void)state;
    uint32_t site = sites_intern("some_file.c", 5);
    uint32_t frame[] = {sites_intern("some_file.c", 6), sites_intern("some_file.c", 7)};
    leak_rows_begin();
    for (unsigned i = 0; i < 3; i++) {
        add(stacks_intern(site, &frame[0], 1), 10);
        add(stacks_intern(site, &frame[1], 1), 20);
        add(site, 40);
    }
    leak_rows_print();
    assert_int_equal(leak_rows_total(LEAK_UNTOLD).bytes, 210);
    leak_rows_end();
    assert_int_equal(lines_with("allocated at some_file.c:5"), 3);
    assert_int_equal(lines_with("leak: 3 blocks, 120 bytes tag Test"), 1);
    assert_int_equal(lines_with("leak: 3 blocks, 60 bytes tag Test"), 1);
    assert_int_equal(lines_with("  #0 some_file.c:6"), 1);
    assert_int_equal(lines_with("  #0 some_file.c:7"), 1);
}

static void what_is_too_much_is_counted(void **state) {
    (void)state;
    leak_rows_begin();
    for (unsigned i = 0; i < 600; i++)
        add(sites_intern("many_sites.c", i + 1), 8);
    leak_rows_print();
    assert_int_equal(leak_rows_total(LEAK_UNTOLD).blocks, 600);
    leak_rows_end();
    assert_int_equal(lines_with("allocated at many_sites.c:"), 512);
    assert_int_equal(lines_with("leak: 88 blocks, 704 bytes of further tags and sites"), 1);
}

int main(void) {
    static char file[] = "/tmp/leak_rows_XXXXXX", options[64];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_stack_has_a_row, begin),
        cmocka_unit_test_setup(what_is_too_much_is_counted, begin),
    };
    int made = mkstemp(file);
    path = file;
    snprintf(options, sizeof options, "report=%s", file);
    if (made < 0 || setenv("RXPOOL_OPTIONS", options, 1) != 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove(file);
    return failed;
}
