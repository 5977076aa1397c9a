/* Pages that come ahead of their use, by fours and as huge pages: where they do, and what it costs in memory. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/options.h"
#include "engine_test.h"

#define MIB ((size_t)1 << 20)
#define BLOCK 100u
#define PAGE ((size_t)4096)

/* KiB of a line in smaps_rollup; of this process, small and huge pages together. */
static uint64_t rollup_kb(const char *field) {
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[200];
    unsigned long kb = 0;

    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, field, strlen(field)) == 0)
            kb = strtoul(line + strlen(field), NULL, 10);
    fclose(file);
    return kb;
}

static uint64_t huge_kb(void) {
    return rollup_kb("AnonHugePages:");
}

static bool system_makes_them_itself(void) {
    FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
    char text[100] = "";

    if (file == NULL)
        return false;
    const char *read = fgets(text, sizeof text, file);
    fclose(file);
    return read != NULL && strstr(text, "[always]") != NULL;
}

/* Why a test says nothing here; NULL where it does. */
static const char *no_huge_pages(void) {
    if (SANITIZED)
        return "a sanitizer's own memory counts among what is resident";
    if (system_makes_them_itself())
        return "the system makes huge pages wherever it can";
    return plat_huge_ready() ? NULL : "the system has no huge pages to give, or is set to `never`";
}

#define SKIP_WITHOUT_HUGE_PAGES()                                                                  \
    do {                                                                                           \
        const char *why = no_huge_pages();                                                         \
        if (why != NULL) {                                                                         \
            print_message("skipped: %s\n", why);                                                   \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

/* Blocks of one size, linked through their first word. */
static void *fill(uint32_t tag, size_t bytes, void *list) {
    for (size_t done = 0; done < bytes; done += BLOCK) {
        void **block = pool_alloc(test_key(tag), BLOCK);
        assert_non_null(block);
        *block = list;
        list = block;
    }
    return list;
}

static void empty(void *list) {
    while (list != NULL) {
        void *next = *(void **)list;
        pool_free(list);
        list = next;
    }
}

static void a_large_pool_lies_in_huge_pages(void **state) {
    (void)state;
    SKIP_WITHOUT_HUGE_PAGES();
    engine_trim(); /* idle pages would be taken first */
    uint64_t before = huge_kb(), start = rollup_kb("Rss:");
    void *list = fill(0, 6 * MIB, NULL);
    assert_int_equal(huge_kb(), before); /* a small one does not */
    list = fill(0, 14 * MIB, list);
    uint64_t middling = huge_kb();
    list = fill(0, 76 * MIB, list);
    if (!plat_huge_ready()) { /* in the midst of it */
        empty(list);
        print_message("skipped: the system had no huge pages to give\n");
        skip();
    }
    if (middling < before + 8 * 1024 || huge_kb() < before + 64 * 1024)
        fail_msg("%lu KiB in huge pages, then %lu", (unsigned long)(middling - before),
                 (unsigned long)(huge_kb() - before));
    /* What is resident beyond the blocks: part of one huge page, and what lies around blocks and slabs. */
    uint64_t blocks = 96 * 1024 / BLOCK * 112; /* whose class is of 112 bytes */
    assert_in_range(rollup_kb("Rss:") - start, blocks - blocks / 16, blocks + blocks / 16);
    pool_walk();
    empty(list);
    usleep(1000 * (100 + options_get()->purge_ms));
    pool_free(pool_alloc(test_key(0), 64));
    pool_walk();
    assert_true(rollup_kb("Rss:") < start + 2 * 1024);
}

/* Their pages that hold no block yet may never hold one. */
static void bins_of_few_slabs_get_no_huge_pages(void **state) {
    (void)state;
    SKIP_WITHOUT_HUGE_PAGES();
    void *list = NULL, *large = pool_alloc(test_key(0), 64 * MIB);
    uint64_t before = huge_kb();
    for (size_t size = 16; size <= 256; size += 16) { /* a class each, and three slabs of it */
        for (size_t done = 0; done + size <= 170 * 1024; done += size) {
            void **block = pool_alloc(test_key(0), size);
            assert_non_null(block);
            *block = list;
            list = block;
        }
    }
    assert_int_equal(huge_kb(), before);
    pool_walk();
    empty(list);
    pool_free(large);
    pool_walk();
}

/* A huge page that is shared with a fork's child is written in both. */
static void a_child_has_its_own(void **state) {
    (void)state;
    SKIP_WITHOUT_HUGE_PAGES();
    void *list = fill(0, 64 * MIB, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        empty(fill(1, 8 * MIB, list));
        _exit(engine_walk() == NULL && test_live_blocks() == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    pool_walk();
    empty(list);
    pool_walk();
}

/* Zeroes are promised where they are asked for, whatever the pages were before. */
static void zeroes_are_zero(void **state) {
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        void *list = NULL;
        for (size_t done = 0; done < 48 * MIB; done += 2048) {
            uint64_t *block = engine_alloc(test_key(2), test_key(2), 2000, ENGINE_ZERO);
            assert_non_null(block);
            for (unsigned i = 0; i < 250; i++)
                assert_int_equal(block[i], 0);
            memset(block, 0x5A, 2000);
            *(void **)block = list;
            list = block;
        }
        empty(list);
        engine_trim();
    }
}

static unsigned present(void *at, unsigned pages) {
    unsigned char word[64];
    unsigned n = 0;
    assert_true(pages <= sizeof word);
    assert_int_equal(mincore(at, pages * PAGE, word), 0);
    for (unsigned i = 0; i < pages; i++)
        n += word[i] & 1;
    return n;
}

static void populated_pages_are_there_and_keep_their_bytes(void **state) {
    (void)state;
    char *at = plat_reserve(MIB, 16 * PAGE);
    assert_non_null(at);
    assert_true(plat_commit(at, MIB));
    at[PAGE + 5] = 7;
    assert_int_equal(present(at, 16), 1);
    plat_populate(at, 4 * PAGE);
    unsigned there = present(at, 16);
    if (there == 1) {
        plat_release(at, MIB);
        print_message("skipped: this kernel does not populate pages (before Linux 5.14)\n");
        skip();
    }
    assert_int_equal(there, 4);
    for (unsigned i = 0; i < 4 * PAGE; i++)
        assert_int_equal(at[i], i == PAGE + 5 ? 7 : 0);
    plat_release(at, MIB);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(populated_pages_are_there_and_keep_their_bytes),
        cmocka_unit_test(bins_of_few_slabs_get_no_huge_pages), /* while they are few */
        cmocka_unit_test(a_large_pool_lies_in_huge_pages),
        cmocka_unit_test(a_child_has_its_own),
        cmocka_unit_test(zeroes_are_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
