/* check/stacks.h: each stack once, whoever is first; what happens when there is no room. */
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/frames.h"
#include "check/report.h"
#include "check/sites.h"
#include "check/stacks.h"
#include "unit.h"

#define NOINLINE __attribute__((noinline))

static volatile int after; /* keeps a call from becoming a jump */

static const char *lines_of(uint32_t id) {
    static char buffer[8192];
    struct text t;
    text_init(&t, buffer, sizeof buffer);
    stacks_put(&t, id);
    return buffer;
}

static unsigned lines_in(const char *s) {
    unsigned n = 0;
    for (; *s != '\0'; s++)
        n += *s == '\n';
    return n;
}

static void the_same_is_stored_once(void **state) {
    (void)state;
    uint32_t site = sites_intern("some_file.c", 1), frames[3] = {1, 2, 3};
    uint32_t id = stacks_intern(site, frames, 3);
    uint64_t bytes = stacks_bytes();
    assert_int_equal(id & SITE_STACK, SITE_STACK);
    assert_int_equal(stacks_site(id), site);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(stacks_intern(site, frames, 3), id);
    assert_int_equal(stacks_bytes(), bytes);
    assert_int_not_equal(stacks_intern(site, frames, 2), id);
    assert_int_not_equal(stacks_intern(sites_intern("some_file.c", 2), frames, 3), id);
    frames[2] = 4;
    assert_int_not_equal(stacks_intern(site, frames, 3), id);
    /* Its words: three, and one a frame. */
    assert_int_equal(stacks_bytes() - bytes, (5 + 6 + 6) * 4);
}

/* --- of the thread that asks ------------------------------------------------------------------- */

static NOINLINE uint32_t site_by_file(void) {
    struct caller c = {"F", "other_file.c", 7, __builtin_return_address(0)};
    uint32_t id = sites_of(&c);
    after++;
    return id;
}

static NOINLINE uint32_t site_by_pc(void) {
    struct caller c = {"F", NULL, 0, __builtin_return_address(0)};
    uint32_t id = sites_of(&c);
    after++;
    return id;
}

static NOINLINE uint32_t through(uint32_t (*site)(void)) {
    uint32_t id = site();
    after++;
    return id;
}

static void a_caller_has_its_stack(void **state) {
    (void)state;
    uint32_t id[4];
    struct site s;
    stacks_start(0);
    assert_int_equal(site_by_file() & SITE_STACK, 0);
    assert_string_equal(lines_of(site_by_file()), "");
    stacks_start(2);
    for (volatile unsigned i = 0; i < 4; i++) /* one call, not four */
        id[i] = through(i % 2 == 0 ? site_by_file : site_by_pc);
    assert_int_equal(id[0], id[2]);
    assert_int_equal(id[1], id[3]);
    assert_int_not_equal(site_by_file(), id[0]);
    /* Of a file and a line the own frame is new; a return address is the first frame itself. */
    assert_int_equal(lines_in(lines_of(id[0])), 3);
    assert_int_equal(strncmp(lines_of(id[0]), "  #0 /", 6), 0);
    assert_int_equal(lines_in(lines_of(id[1])), 2);
    assert_int_equal(strncmp(lines_of(id[1]), "  #1 /", 6), 0);
    assert_non_null(strstr(lines_of(id[1]), "/unit_stacks+0x"));
    assert_true(sites_get(id[0], &s));
    assert_string_equal(s.file, "other_file.c");
    assert_true(sites_get(id[1], &s));
    assert_non_null(s.pc);
    /* Nothing to walk from. */
    struct caller unknown = {"F", "other_file.c", 8, NULL};
    assert_int_equal(sites_of(&unknown), sites_intern("other_file.c", 8));
    stacks_start(OPTIONS_STACK_MOST);
    assert_true(lines_in(lines_of(through(site_by_file))) > 3);
    stacks_start(0);
}

static volatile sig_atomic_t in_handler;

static void handler(int number) {
    (void)number;
    in_handler = (sig_atomic_t)through(site_by_file);
}

static void a_signal_handler_has_its_stack(void **state) {
    (void)state;
    stacks_start(3);
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    assert_int_equal((uint32_t)in_handler & SITE_STACK, SITE_STACK);
    assert_int_equal(lines_in(lines_of((uint32_t)in_handler)), 4);
    stacks_start(0);
}

/* --- threads ----------------------------------------------------------------------------------- */

#define THREADS 4u
#define STACKS 20000u

static uint32_t ids[THREADS][STACKS];
static pthread_barrier_t together;

static void *intern_many(void *argument) {
    uint32_t *id = argument;
    pthread_barrier_wait(&together);
    for (uint32_t i = 0; i < STACKS; i++) {
        uint32_t frames[4] = {100 + i % 50, 200 + i / 50, 300, 400};
        id[i] = stacks_intern(7, frames, 1 + i % 4);
    }
    return NULL;
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void threads_agree(void **state) {
    (void)state;
    pthread_t thread[THREADS];
    pthread_barrier_init(&together, NULL, THREADS);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, intern_many, ids[i]), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    for (unsigned i = 1; i < THREADS; i++)
        assert_memory_equal(ids[i], ids[0], sizeof ids[0]);
    qsort(ids[0], STACKS, sizeof ids[0][0], by_value);
    unsigned distinct = 1;
    for (unsigned i = 1; i < STACKS; i++)
        distinct += ids[0][i] != ids[0][i - 1];
    /* Those of one frame are the same 50, those of two or more differ by their second one. */
    assert_int_equal(distinct, STACKS - STACKS / 4 + 25);
}

/* --- no room ----------------------------------------------------------------------------------- */

static void when_full_it_is_the_plain_site(void **state) {
    (void)state;
    uint32_t frames[FRAMES_MOST] = {0}, known = 0, last = 1;
    for (uint32_t i = 1; last != 0 && i < 1000000; i++) {
        frames[0] = i;
        last = stacks_intern(9, frames, FRAMES_MOST);
        if (i == 1)
            known = last;
    }
    assert_int_equal(last, 0);
    assert_true(stacks_bytes() < (uint64_t)68 << 20);
    frames[0] = 1;
    assert_int_equal(stacks_intern(9, frames, FRAMES_MOST), known);
    stacks_start(2);
    uint32_t site = through(site_by_pc);
    stacks_start(0);
    assert_true((site & SITE_STACK) != 0 || (site & SITE_PC) != 0);
    frames[0] = 0;
    assert_int_equal(stacks_intern(9, frames, FRAMES_MOST), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_is_stored_once),        cmocka_unit_test(a_caller_has_its_stack),
        cmocka_unit_test(a_signal_handler_has_its_stack), cmocka_unit_test(threads_agree),
        cmocka_unit_test(when_full_it_is_the_plain_site), /* the last: nothing is given back */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
