/*
 * Which account a call belongs to. Holds the drop-in's own objects, so that it can ask the engine
 * about a block; the mode comes from RXPOOL_OPTIONS, and CTest runs it once for each.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/options.h"
#include "malloc/dropin.h"
#include "malloc/module.h"

#define PROGRAM "malloc_account_test"

static enum options_by by(void) {
    return options_get()->by;
}

static struct engine_block describe(const void *block) {
    struct engine_block out;
    assert_non_null(block);
    assert_int_equal(engine_lookup(block, &out), ENGINE_OK);
    return out;
}

/* The site's name, up to the offset that by=site appends. */
static const char *module_of(const void *block) {
    static char name[400];
    uint32_t id = describe(block).site;
    assert_int_not_equal(id, 0);
    const struct site *site = (const struct site *)(uintptr_t)engine_root()->sites + id;
    memcpy(name, (const char *)(uintptr_t)site->name, site->name_length);
    name[site->name_length] = '\0';
    char *offset = strrchr(name, '+');
    assert_true((offset != NULL) == (by() == OPTIONS_BY_SITE));
    if (offset != NULL)
        *offset = '\0';
    return name;
}

#define assert_block_is_of(block, module)                                                          \
    do {                                                                                           \
        assert_int_equal(describe(block).tag, DROPIN_TAG);                                         \
        assert_true(describe(block).type &ACCOUNT_DENSE);                                          \
        if (by() == OPTIONS_BY_TAG)                                                                \
            assert_int_equal(describe(block).site, 0);                                             \
        else                                                                                       \
            assert_string_equal(module_of(block), module);                                         \
    } while (0)

static void the_tag_reads_mllc_in_memory(void **state) {
    (void)state;
    uint32_t tag = DROPIN_TAG;
    assert_memory_equal(&tag, "Mllc", 4);
}

static void every_function_knows_its_caller(void **state) {
    (void)state;
    void *out = NULL;
    assert_int_equal(posix_memalign(&out, 256, 1000), 0);
    void *block[] = {malloc(10),
                     malloc(100000),
                     calloc(3, 10),
                     calloc(3, 100000),
                     realloc(NULL, 20),
                     reallocarray(NULL, 3, 70000),
                     aligned_alloc(64, 5),
                     aligned_alloc(8, 5000),
                     realloc(malloc(10), 5000),
                     realloc(malloc(10), 300000),
                     out};
    for (size_t i = 0; i < RXP_COUNT(block); i++) {
        assert_block_is_of(block[i], PROGRAM);
        free(block[i]);
    }
}

static void libc_is_a_module_of_its_own(void **state) {
    (void)state;
    char *text = strdup("text");
    assert_block_is_of(text, "libc.so.6");
    free(text);
}

static RXP_NOINLINE void *thread(void *argument) {
    (void)argument;
    return malloc(77);
}

static void every_thread_accounts_alike(void **state) {
    (void)state;
    void *here = thread(NULL);
    for (int i = 0; i < 5; i++) {
        pthread_t id;
        void *block = NULL;
        assert_int_equal(pthread_create(&id, NULL, thread, NULL), 0);
        assert_int_equal(pthread_join(id, &block), 0);
        assert_int_equal(describe(block).account, describe(here).account);
        free(block);
    }
    free(here);
}

/* Both plug-ins may be mapped where the other was: what was known of that place must be forgotten.
 */
static void plugins_are_modules_and_forgotten(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        void *plugin = dlopen(PLUGIN, RTLD_NOW | RTLD_LOCAL);
        assert_non_null(plugin);
        void *(*allocate)(size_t) = (void *(*)(size_t))dlsym(plugin, "plugin_block");
        void *block = allocate(100);
        assert_block_is_of(block, "malloc_plugin.so");
        assert_int_equal(dlclose(plugin), 0);
        free(block);

        plugin = dlopen(PLUGIN_CXX, RTLD_NOW | RTLD_LOCAL);
        assert_non_null(plugin);
        void *(*object)(void) = (void *(*)(void))dlsym(plugin, "plugin_object");
        void (*destroy)(void *) = (void (*)(void *))dlsym(plugin, "plugin_delete");
        block = object();
        assert_block_is_of(block, "malloc_plugin_cxx.so"); /* and not the C++ runtime's */
        destroy(block);
        assert_int_equal(dlclose(plugin), 0);
    }
}

/* A page of machine code that calls malloc and returns what it returns. */
static void code_of_no_module_is_anonymous(void **state) {
    (void)state;
#if defined(__x86_64__)
    unsigned char *code = mmap(NULL, POOL_PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *(*target)(size_t) = malloc;
    if (code == MAP_FAILED) {
        print_message("skipped: the system allows no writable code\n");
        skip();
    }
    /* mov rax, imm64; sub rsp, 8; call rax; add rsp, 8; ret */
    memcpy(code, "\x48\xB8", 2);
    memcpy(code + 2, &target, 8);
    memcpy(code + 10, "\x48\x83\xEC\x08\xFF\xD0\x48\x83\xC4\x08\xC3", 11);
    void *(*call)(size_t) = (void *(*)(size_t))(uintptr_t)code;
    for (int i = 0; i < 3; i++) {
        void *block = call(40);
        assert_block_is_of(block, "[anonymous]");
        free(block);
    }
    munmap(code, POOL_PAGE_SIZE);
#else
    print_message("skipped: the test's machine code is x86-64's\n");
    skip();
#endif
}

static RXP_NOINLINE void *one_site(void) {
    void *volatile block = malloc(50);
    return block;
}

static void sites_are_return_addresses(void **state) {
    (void)state;
    if (by() != OPTIONS_BY_SITE)
        return;
    void *a = one_site(), *b = one_site(), *elsewhere = malloc(50);
    assert_int_equal(describe(a).site, describe(b).site);
    assert_int_not_equal(describe(a).site, describe(elsewhere).site);

    struct module module;
    const struct site *site =
        (const struct site *)(uintptr_t)engine_root()->sites + describe(a).site;
    const char *offset = memchr((const char *)(uintptr_t)site->name, '+', site->name_length);
    assert_non_null(offset);
    assert_true(module_find((const void *)(uintptr_t)one_site, &module));
    uintptr_t address = module.bias + strtoull(offset + 1, NULL, 16);
    assert_in_range(address, (uintptr_t)one_site, (uintptr_t)one_site + 100);
    free(a);
    free(b);
    free(elsewhere);
}

/* --- module.c --- */

static void modules_are_found_both_ways_alike(void **state) {
    (void)state;
    const struct {
        const void *address;
        const char *name;
    } known[] = {
        {(const void *)(uintptr_t)one_site, PROGRAM},
        {dlsym(RTLD_DEFAULT, "printf"), "libc.so.6"},
        {&known, "[anonymous]"},
        {NULL, "[anonymous]"},
    };
    for (size_t i = 0; i < RXP_COUNT(known); i++) {
        struct module quick, walked;
        bool in_module = known[i].name[0] != '[';
        assert_int_equal(module_find(known[i].address, &quick), in_module);
        assert_int_equal(module_find_by_walk(known[i].address, &walked), in_module);
        assert_int_equal(quick.name_length, strlen(known[i].name));
        assert_memory_equal(quick.name, known[i].name, quick.name_length);
        assert_int_equal(walked.name_length, quick.name_length);
        assert_memory_equal(walked.name, known[i].name, quick.name_length);
        assert_int_equal(walked.bias, quick.bias);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tag_reads_mllc_in_memory),
        cmocka_unit_test(every_function_knows_its_caller),
        cmocka_unit_test(libc_is_a_module_of_its_own),
        cmocka_unit_test(every_thread_accounts_alike),
        cmocka_unit_test(plugins_are_modules_and_forgotten),
        cmocka_unit_test(code_of_no_module_is_anonymous),
        cmocka_unit_test(sites_are_return_addresses),
        cmocka_unit_test(modules_are_found_both_ways_alike),
    };
    module_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
