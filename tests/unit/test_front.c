/* Memory that is used front to back: what was reached can be written and is zero, and it ends where it ends. */
#include "unit.h"

#include "check/map/front.h"
#include "plat/plat.h"

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

/* The first and the last byte of what was not reached yet. */
static void write_new(const struct front *f, size_t from, size_t to) {
    assert_int_equal(f->base[from], 0);
    assert_int_equal(f->base[to - 1], 0);
    f->base[from] = 1;
    f->base[to - 1] = 1;
}

static void what_was_reached_is_there(void **state) {
    (void)state;
    struct front f;
    assert_true(front_start(&f, 96 * MIB, 96 * MIB));
    size_t used = 0;
    for (size_t step = 4 * KIB; used + step <= f.size; step *= 2) {
        assert_true(front_reach(&f, used + step));
        write_new(&f, used, used + step);
        used += step;
        assert_true(used <= f.present && f.present <= f.committed && f.committed <= f.size);
    }
    assert_true(front_reach(&f, used)); /* once more, and less */
    assert_true(front_reach(&f, 1));
    assert_true(front_reach(&f, f.size));
    assert_false(front_reach(&f, f.size + 1));
    for (size_t at = used; at < f.size; at += 4 * KIB)
        assert_int_equal(f.base[at], 0);
    plat_release(f.base, f.size);
}

#define HUGE_FROM (16 * MIB)

/* By small steps, as records are carved: little is there that is not used, and no more than a huge page where much is. */
static void little_comes_ahead(void **state) {
    (void)state;
    struct front f;
    assert_true(front_start(&f, 64 * MIB, 64 * MIB));
    for (size_t used = 4 * KIB; used <= 48 * MIB; used += 4 * KIB) {
        assert_true(front_reach(&f, used));
        size_t ahead = used < HUGE_FROM ? used / 16 + 4 * KIB : PLAT_HUGE;
        assert_true(f.present <= used + ahead);
        f.base[used - 1] = 1;
    }
    plat_release(f.base, f.size);
}

static void less_is_reserved_where_more_is_refused(void **state) {
    (void)state;
    struct front f;
    assert_true(front_start(&f, (size_t)1 << 60, 64 * KIB));
    assert_true(f.size >= 64 * KIB && f.size < (size_t)1 << 60);
    assert_true(front_reach(&f, 64 * KIB));
    plat_release(f.base, f.size);
    assert_false(front_start(&f, (size_t)1 << 60, (size_t)1 << 60));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_reached_is_there),
        cmocka_unit_test(little_comes_ahead),
        cmocka_unit_test(less_is_reserved_where_more_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
