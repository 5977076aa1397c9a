/* check/sites.h: ids of files and lines, and of return addresses across modules that come and go. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

#include "check/report.h"
#include "check/sites.h"
#include "unit.h"

static const char *text_of(uint32_t id) {
    static char buffer[512];
    struct text t;
    text_init(&t, buffer, sizeof buffer);
    sites_put(&t, id);
    return buffer;
}

static void files_and_lines(void **state) {
    (void)state;
    char name[] = "volatile_name.c";
    uint32_t id = sites_intern(name, 7);
    assert_true(id != 0 && (id & (SITE_PC | SITE_STACK)) == 0);
    assert_int_equal(sites_intern("volatile_name.c", 7), id);
    assert_int_not_equal(sites_intern("volatile_name.c", 8), id);
    name[0] = 'X';
    assert_string_equal(text_of(id), "volatile_name.c:7");
    assert_int_not_equal(sites_intern(name, 7), id);
    assert_int_equal(sites_intern(NULL, 7), 0);
    assert_string_equal(text_of(0), "");
}

/* Constants of the program alone are known by their address; anything else may be another text by and by. */
static void names_that_stay(void **state) {
    (void)state;
    static const char mine[] = "constant_name.c", same[] = "volatile_name.c";
    char name[] = "constant_name.c";
    assert_null(sites_known(mine, 9));
    uint32_t id = sites_intern(mine, 9), old = sites_intern(same, 7);
    assert_int_equal(sites_known(mine, 9)->id, id);
    assert_null(sites_known(mine, 10));
    assert_int_equal(sites_intern(name, 9), id);
    assert_null(sites_known(name, 9));
    assert_int_equal(sites_known(same, 7)->id, old);
    assert_string_equal(text_of(old), "volatile_name.c:7");
    assert_null(sites_known(NULL, 7));
}

/* Where a module is unloaded another one may come to lie, with another text at the very same address. */
static void names_of_modules(void **state) {
    (void)state;
    static const char *const paths[] = {MODULE_ONE, MODULE_TWO};
    const char *name[2], *text[] = {"module_one.c:3", "module_two.c:3"};
    uint32_t id[2];
    for (unsigned i = 0; i < 2; i++) {
        void *handle = dlopen(paths[i], RTLD_NOW);
        assert_non_null(handle);
        name[i] = dlsym(handle, "name");
        assert_non_null(name[i]);
        id[i] = sites_intern(name[i], 3);
        assert_null(sites_known(name[i], 3));
        assert_int_equal(sites_intern(name[i], 3), id[i]);
        dlclose(handle);
    }
    for (unsigned i = 0; i < 2; i++)
        assert_string_equal(text_of(id[i]), text[i]);
    if (name[0] != name[1])
        print_message("the modules lay apart\n");
}

static __attribute__((noinline)) const void *here(void) {
    __asm__ volatile(""); /* no two calls are one */
    return __builtin_return_address(0);
}

static void return_addresses(void **state) {
    (void)state;
    struct site s;
    const void *pc = here();
    uint32_t id = sites_intern_pc(pc);
    assert_true((id & SITE_PC) != 0);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(sites_intern_pc(pc), id);
    const void *other = here();
    assert_int_not_equal(sites_intern_pc(other), id);
    assert_true(sites_get(id, &s));
    assert_null(s.file);
    assert_ptr_equal(s.pc, pc);
    Dl_info info;
    assert_int_not_equal(dladdr(pc, &info), 0);
    assert_int_equal(s.offset, (uintptr_t)pc - (uintptr_t)info.dli_fbase);
    char expected[512];
    snprintf(expected, sizeof expected, "%s+0x%jx", s.module, (uintmax_t)s.offset);
    assert_string_equal(text_of(id), expected);
    assert_string_equal(strrchr(s.module, '/'), "/unit_sites");
    assert_int_equal(sites_intern_pc(NULL), 0);
    assert_int_equal(sites_intern_pc((void *)0x1234567890), 0);
}

static void the_caller_decides(void **state) {
    (void)state;
    struct caller by_file = {"F", "some.c", 3, here()}, by_pc = {"F", NULL, 0, here()};
    assert_string_equal(text_of(sites_of(&by_file)), "some.c:3");
    assert_int_equal(sites_of(&by_pc), sites_intern_pc(by_pc.pc));
    struct caller unknown = {"F", NULL, 0, NULL};
    assert_int_equal(sites_of(&unknown), 0);
}

static void store_here(const void **out) {
    *out = __builtin_return_address(0);
}

/* Calls the module's function, which calls back: the return address lies in the module. */
static uint32_t site_in(const char *path, void **handle) {
    *handle = dlopen(path, RTLD_NOW);
    assert_non_null(*handle);
    void (*through)(void (*)(const void **), const void **);
    const void *pc;
    *(void **)&through = dlsym(*handle, "through");
    assert_non_null(through);
    through(store_here, &pc);
    return sites_intern_pc(pc);
}

static void modules_that_are_unloaded(void **state) {
    (void)state;
    void *handle;
    struct site one, two;
    uint32_t first = site_in(MODULE_ONE, &handle);
    assert_true(sites_get(first, &one));
    assert_non_null(strstr(one.module, "module_one"));
    dlclose(handle);
    assert_non_null(strstr(text_of(first), "/libmodule_one.so+0x"));
    uint32_t second = site_in(MODULE_TWO, &handle);
    assert_true(sites_get(second, &two));
    assert_int_not_equal(second, first);
    assert_non_null(strstr(two.module, "module_two"));
    dlclose(handle);
    assert_non_null(strstr(text_of(first), "module_one"));
}

/* Code enough for more places than any cache has room for. */
static void many_places_are_known(void **state) {
    (void)state;
    const char *code = (const char *)(uintptr_t)&printf;
    uint32_t first = 0;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 20000; i++) {
            uint32_t id = sites_intern_pc(code + i);
            if (round == 0 && i == 0)
                first = id;
            assert_int_equal(id, first + i);
        }
    }
}

static void *intern_many(void *argument) {
    uint32_t *ids = argument;
    char name[32];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "file%u.c", i / 10);
        ids[i] = sites_intern(name, i % 10 + 1);
        ids[1000 + i] = sites_intern_pc((const char *)(uintptr_t)&intern_many + i);
    }
    return NULL;
}

static void threads_agree(void **state) {
    (void)state;
    static uint32_t ids[4][2000];
    pthread_t thread[4];
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, intern_many, ids[i]), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    for (unsigned i = 1; i < 4; i++)
        assert_memory_equal(ids[i], ids[0], sizeof ids[0]);
    for (unsigned i = 1; i < 2000; i++)
        assert_int_not_equal(ids[0][i], ids[0][i - 1]);
}

/* As at the end of a driver, which may go on all the same. */
static void they_begin_anew(void **state) {
    (void)state;
    uint32_t before = sites_intern("a.c", 1);
    assert_int_not_equal(before, 0);
    sites_close();
    uint32_t id = sites_intern("b.c", 2);
    assert_string_equal(text_of(id), "b.c:2");
    assert_int_not_equal(sites_intern("a.c", 1), id);
    assert_string_equal(text_of(sites_intern("a.c", 1)), "a.c:1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_and_lines),       cmocka_unit_test(names_that_stay),
        cmocka_unit_test(names_of_modules),      cmocka_unit_test(return_addresses),
        cmocka_unit_test(the_caller_decides),    cmocka_unit_test(modules_that_are_unloaded),
        cmocka_unit_test(many_places_are_known), cmocka_unit_test(threads_agree),
        cmocka_unit_test(they_begin_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
