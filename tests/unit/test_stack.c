/* plat_backtrace against the return addresses that the functions of a known chain saw themselves. */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "plat/plat.h"
#include "unit.h"

#define MOST 64
#define NOINLINE __attribute__((noinline))

struct walk {
    const void *frames[MOST];
    unsigned count;
    const void *truth[MOST]; /* innermost first */
    unsigned known;
    const void *from;
    unsigned most;
};

/* Keeps a call from becoming a jump. */
static __thread volatile int after;

static NOINLINE void innermost(struct walk *w) {
    w->truth[w->known++] = __builtin_return_address(0);
    w->count = plat_backtrace(w->from, w->frames, w->most);
    after++;
}

static NOINLINE void with_array(struct walk *w, size_t n) {
    volatile char variable[n]; /* the stack pointer is no fixed distance from the frame's start */
    variable[n - 1] = 1;
    innermost(w);
    w->truth[w->known++] = __builtin_return_address(0);
    after += variable[n - 1];
}

static NOINLINE void realigned(struct walk *w, size_t n) {
    _Alignas(64) volatile char line[64];
    line[n % 64] = 1;
    with_array(w, n);
    w->truth[w->known++] = __builtin_return_address(0);
    after += line[n % 64];
}

static NOINLINE void recursive(struct walk *w, unsigned depth) {
    if (depth == 0)
        realigned(w, 100);
    else
        recursive(w, depth - 1);
    w->truth[w->known++] = __builtin_return_address(0);
    after++;
}

static void assert_chain(const struct walk *w) {
    unsigned expected = w->known < w->most ? w->known : w->most;
    assert_true(w->count >= expected);
    for (unsigned i = 0; i < expected; i++)
        assert_ptr_equal(w->frames[i], w->truth[i]);
}

static void chain(void **state) {
    (void)state;
    for (unsigned depth = 0; depth < 40; depth += 3) {
        struct walk w = {.most = MOST};
        recursive(&w, depth);
        assert_int_equal(w.known, depth + 4);
        assert_chain(&w);
        assert_true(w.count > w.known || w.count == MOST);
    }
}

static void most_is_kept(void **state) {
    (void)state;
    struct walk w = {.most = 5};
    recursive(&w, 20);
    assert_int_equal(w.count, 5);
    assert_chain(&w);
    struct walk none = {.most = 0};
    recursive(&none, 20);
    assert_int_equal(none.count, 0);
}

static NOINLINE void from_here(struct walk *w) {
    w->from = __builtin_return_address(0);
    innermost(w);
    after++;
}

static void begins_with_from(void **state) {
    (void)state;
    struct walk w = {.most = MOST};
    from_here(&w);
    assert_ptr_equal(w.frames[0], w.from);
    assert_true(w.count > 2); /* the test's runner, and main */
    struct walk unknown = {.most = MOST, .from = &w};
    innermost(&unknown);
    assert_int_equal(unknown.count, 1);
    assert_ptr_equal(unknown.frames[0], &w);
}

static void *in_thread(void *argument) {
    recursive(argument, 5);
    return NULL;
}

static void threads(void **state) {
    (void)state;
    struct walk w[8];
    pthread_t thread[8];
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = 0; i < 8; i++) {
            memset(&w[i], 0, sizeof(w[i]));
            w[i].most = MOST;
            assert_int_equal(pthread_create(&thread[i], NULL, in_thread, &w[i]), 0);
        }
        for (unsigned i = 0; i < 8; i++) {
            assert_int_equal(pthread_join(thread[i], NULL), 0);
            assert_chain(&w[i]);
            /* in_thread itself, and what the C library has below it; then the stack ends. */
            assert_in_range(w[i].count, w[i].known + 1, w[i].known + 3);
        }
    }
}

static struct walk *signal_walk;
static volatile unsigned handler_level;

static void handler(int number) {
    (void)number;
    signal_walk->count = plat_backtrace(NULL, signal_walk->frames, MOST);
    handler_level++;
}

static NOINLINE void raises(struct walk *w) {
    w->truth[w->known++] = __builtin_return_address(0);
    raise(SIGUSR1);
    after++;
}

/* Past the handler and the C library's frames of raise(), the interrupted chain goes on. */
static void signal_on(int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags}, old;
    struct walk w = {.most = MOST};
    unsigned at = 0;
    signal_walk = &w;
    assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
    raises(&w);
    assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
    while (at < w.count && w.frames[at] != w.truth[0])
        at++;
    assert_true(at >= 2 && at < w.count);
    assert_true(w.count > at + 2);
}

static void in_signal_handler(void **state) {
    (void)state;
    signal_on(0);
}

static void on_signal_stack(void **state) {
    (void)state;
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
    assert_int_equal(sigaltstack(&stack, NULL), 0);
    signal_on(SA_ONSTACK);
    stack_t none = {.ss_flags = SS_DISABLE};
    assert_int_equal(sigaltstack(&none, NULL), 0);
    free(stack.ss_sp);
    signal_on(0);
}

static ucontext_t main_context, other_context;
static struct walk *context_walk;

static void on_other_stack(void) {
    recursive(context_walk, 3);
}

/* A stack between two pages that cannot be read: nothing above its end is touched. */
static void other_stack(void **state) {
    (void)state;
    struct walk w = {.most = MOST};
    char *map = mmap(NULL, 18 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mprotect(map + 4096, 16 * 4096, PROT_READ | PROT_WRITE), 0);
    assert_int_equal(getcontext(&other_context), 0);
    other_context.uc_stack.ss_sp = map + 4096;
    other_context.uc_stack.ss_size = 16 * 4096;
    other_context.uc_link = &main_context;
    context_walk = &w;
    makecontext(&other_context, on_other_stack, 0);
    assert_int_equal(swapcontext(&main_context, &other_context), 0);
    context_walk = NULL;
    assert_chain(&w);
    munmap(map, 18 * 4096);
}

#define RANDOM_ROUNDS 20000u

#define GARBAGE 24u /* words */

/* Of a live stack, between whose variables a sanitizer keeps words of its own. */
__attribute__((no_sanitize("address", "thread"))) static void
copy_words(volatile uintptr_t *to, const volatile uintptr_t *from) {
    for (unsigned i = 0; i < GARBAGE; i++)
        to[i] = from[i];
}

/* Walks over a stack whose words are random, a few of them code addresses: ends, and does not fault. */
static NOINLINE void over_garbage(struct walk *w) {
    uintptr_t *top = __builtin_frame_address(0);
    uintptr_t saved[GARBAGE], garbage[GARBAGE];
    uintptr_t code[] = {(uintptr_t)w->truth[0], (uintptr_t)w->truth[1], (uintptr_t)&malloc + 40,
                        (uintptr_t)&plat_backtrace + 60};
    copy_words(saved, top);
    for (unsigned i = 0; i < GARBAGE; i++) {
        unsigned kind = (unsigned)rand() % 4;
        garbage[i] = kind == 0   ? code[(unsigned)rand() % 4]
                     : kind == 1 ? (uintptr_t)top + (unsigned)rand() % 8192 * 8
                     : kind == 2 ? (uintptr_t)rand() << 12
                                 : (uintptr_t)rand() << 33 ^ (uintptr_t)rand();
    }
    copy_words(top, garbage);
    w->count = plat_backtrace(NULL, w->frames, MOST);
    copy_words(top, saved);
    assert_true(w->count <= MOST);
}

static void damaged_stack(void **state) {
    (void)state;
    srand(1);
    for (unsigned i = 0; i < RANDOM_ROUNDS; i++) {
        struct walk w = {.most = MOST};
        recursive(&w, 2);
        over_garbage(&w);
    }
}

static void allocates_nothing(void **state) {
    (void)state;
    struct mallinfo2 before = mallinfo2();
    struct walk w = {.most = MOST};
    recursive(&w, 11);
    struct mallinfo2 later = mallinfo2();
    assert_int_equal(before.uordblks, later.uordblks);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain),
        cmocka_unit_test(most_is_kept),
        cmocka_unit_test(begins_with_from),
        cmocka_unit_test(threads),
        cmocka_unit_test(in_signal_handler),
        cmocka_unit_test(on_signal_stack),
        cmocka_unit_test(other_stack),
        cmocka_unit_test(damaged_stack),
        cmocka_unit_test(allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
