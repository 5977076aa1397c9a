/* What C17, POSIX and glibc's manual promise of the malloc family, asked of the drop-in. */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE ((size_t)4096)
#define assert_aligned(block, alignment) assert_int_equal((uintptr_t)(block) % (alignment), 0)

/* Sizes that no address space holds, and that would wrap where somebody rounds or adds. */
static const size_t absurd[] = {(size_t)PTRDIFF_MAX + 1, (size_t)PTRDIFF_MAX - 1,
                                SIZE_MAX / 2 + 4096,     SIZE_MAX - 4095,
                                SIZE_MAX - 15,           SIZE_MAX};
#define ABSURD_COUNT (sizeof absurd / sizeof absurd[0])

/* Through volatile pointers, so that the compiler may not know what these calls do. */
static void *(*volatile do_malloc)(size_t) = malloc;
static void *(*volatile do_calloc)(size_t, size_t) = calloc;
static void *(*volatile do_realloc)(void *, size_t) = realloc;
static void *(*volatile do_reallocarray)(void *, size_t, size_t) = reallocarray;
static void (*volatile do_free)(void *) = free;
static void *(*volatile do_aligned_alloc)(size_t, size_t) = aligned_alloc;
static int (*volatile do_posix_memalign)(void **, size_t, size_t) = posix_memalign;
static void *(*volatile do_memalign)(size_t, size_t) = memalign;

static size_t next_size(size_t size) {
    return size < 1100 ? size + 1 : size + size / 16 + 13;
}

static void names_are_the_drop_ins(void **state) {
    (void)state;
    static const char *const names[] = {
        "malloc",         "calloc",       "realloc",         "reallocarray",
        "free",           "cfree",        "aligned_alloc",   "memalign",
        "posix_memalign", "valloc",       "pvalloc",         "malloc_usable_size",
        "malloc_trim",    "mallinfo",     "mallinfo2",       "malloc_info",
        "mallopt",        "malloc_stats", "__libc_malloc",   "__libc_calloc",
        "__libc_realloc", "__libc_free",  "__libc_memalign", "__libc_valloc",
        "__libc_pvalloc", "dlclose"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        void *function = dlsym(RTLD_DEFAULT, names[i]);
        Dl_info info;
        assert_non_null(function);
        assert_int_not_equal(dladdr(function, &info), 0);
        if (strstr(info.dli_fname, "librxpool-malloc.so") == NULL)
            fail_msg("%s is %s's", names[i], info.dli_fname);
    }
}

static void zero_bytes_are_a_block_of_their_own(void **state) {
    (void)state;
    void *a = do_malloc(0), *b = do_malloc(0), *c = do_calloc(0, 8), *d = do_calloc(8, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_non_null(d);
    assert_ptr_not_equal(a, b);
    assert_ptr_not_equal(c, d);
    do_free(a);
    do_free(b);
    do_free(c);
    do_free(d);
    do_free(NULL);
}

/* All blocks live at once, each filled to its usable size: an overlap would show in the bytes. */
static void blocks_of_every_size_are_apart(void **state) {
    (void)state;
    enum { MOST = 1400 };
    static unsigned char *block[MOST];
    static size_t usable[MOST];
    size_t count = 0;
    for (size_t size = 0; size < 300000 && count < MOST; size = next_size(size), count++) {
        block[count] = do_malloc(size);
        assert_non_null(block[count]);
        assert_aligned(block[count], 16);
        usable[count] = malloc_usable_size(block[count]);
        assert_true(usable[count] >= size);
        memset(block[count], (int)(count % 251), usable[count]);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t at = 0; at < usable[i]; at++)
            if (block[i][at] != i % 251)
                fail_msg("block %zu of %zu bytes changed at %zu", i, usable[i], at);
        do_free(block[i]);
    }
}

static void calloc_gives_zeros_where_others_wrote(void **state) {
    (void)state;
    for (size_t size = 1; size < 5000000; size = size < 70000 ? next_size(size) : size * 3) {
        void *dirty = do_malloc(size);
        assert_non_null(dirty);
        memset(dirty, 0xA5, size);
        do_free(dirty);
        unsigned char *clean = do_calloc(1, size);
        assert_non_null(clean);
        for (size_t at = 0; at < size; at++)
            if (clean[at] != 0)
                fail_msg("byte %zu of %zu is not zero", at, size);
        memset(clean, 0x5A, size);
        do_free(clean);
    }
}

#define assert_refused(call)                                                                       \
    do {                                                                                           \
        errno = 0;                                                                                 \
        assert_null(call);                                                                         \
        assert_int_equal(errno, ENOMEM);                                                           \
    } while (0)

static void absurd_sizes_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < ABSURD_COUNT; i++) {
        void *out = &out;
        assert_refused(do_malloc(absurd[i]));
        assert_refused(do_calloc(1, absurd[i]));
        assert_refused(do_realloc(NULL, absurd[i]));
        assert_refused(do_aligned_alloc(16, absurd[i]));
        assert_refused(do_aligned_alloc(4096, absurd[i]));
        assert_refused(do_memalign(65536, absurd[i]));
        assert_refused(valloc(absurd[i]));
        assert_refused(pvalloc(absurd[i]));
        assert_int_equal(do_posix_memalign(&out, 64, absurd[i]), ENOMEM);
        assert_ptr_equal(out, &out);
    }
    assert_refused(do_memalign(SIZE_MAX / 2 + 1, 1));
    assert_refused(do_aligned_alloc(SIZE_MAX / 2 + 1, 1));
}

static void products_that_overflow_are_refused(void **state) {
    (void)state;
    char *block = do_malloc(100);
    memset(block, 7, 100);
    assert_refused(do_calloc(SIZE_MAX / 2, 3));
    assert_refused(do_calloc((size_t)1 << 32, (size_t)1 << 32));
    assert_refused(do_reallocarray(block, SIZE_MAX / 4, 5));
    assert_refused(do_reallocarray(NULL, (size_t)1 << 32, (size_t)1 << 32));
    for (size_t i = 0; i < ABSURD_COUNT; i++)
        assert_refused(do_realloc(block, absurd[i]));
    for (size_t at = 0; at < 100; at++) /* the block of a refused realloc is untouched */
        assert_int_equal(block[at], 7);
    do_free(block);
}

static void realloc_keeps_the_bytes(void **state) {
    (void)state;
    unsigned char *block = NULL;
    size_t size = 0;
    for (size_t step = 0; size < 6000000; step++) {
        size_t wanted = size < 3000 ? size + 7 : size + size / 5;
        block = do_realloc(block, wanted);
        assert_non_null(block);
        assert_true(malloc_usable_size(block) >= wanted);
        for (size_t at = size; at < wanted; at++)
            block[at] = (unsigned char)(at * 31 >> 3);
        size = wanted;
    }
    for (; size > 3; size = size * 3 / 4) {
        block = do_realloc(block, size);
        assert_non_null(block);
        assert_true(malloc_usable_size(block) >= size);
        for (size_t at = 0; at < size; at++)
            if (block[at] != (unsigned char)(at * 31 >> 3))
                fail_msg("byte %zu of %zu was lost", at, size);
    }
    do_free(block);
}

static void realloc_shrinks_give_memory_back(void **state) {
    (void)state;
    void *block = do_malloc(10000);
    block = do_realloc(block, 16);
    assert_true(malloc_usable_size(block) < 5000);
    do_free(block);
}

static void realloc_to_nothing_frees(void **state) {
    (void)state;
    size_t before = mallinfo2().uordblks;
    void *block = do_malloc(24);
    assert_null(do_realloc(block, 0));
    assert_int_equal(mallinfo2().uordblks, before);
    block = do_reallocarray(NULL, 0, 10);
    assert_non_null(block);
    do_free(block);
}

static void every_alignment_holds_for_every_size(void **state) {
    (void)state;
    for (size_t alignment = sizeof(void *); alignment <= (size_t)4 << 20; alignment *= 2) {
        for (size_t size = 0; size < 200000; size = size < 64 ? size + 1 : size + size / 3 + 5) {
            void *a = NULL, *b = do_aligned_alloc(alignment, size),
                 *c = do_memalign(alignment, size);
            assert_int_equal(do_posix_memalign(&a, alignment, size), 0);
            assert_non_null(a);
            assert_non_null(b);
            assert_non_null(c);
            assert_aligned(a, alignment);
            assert_aligned(b, alignment);
            assert_aligned(c, alignment);
            assert_true(malloc_usable_size(a) >= size);
            assert_true(malloc_usable_size(b) >= size);
            assert_true(malloc_usable_size(c) >= size);
            memset(a, 1, size);
            memset(b, 2, size);
            memset(c, 3, size);
            assert_true(size == 0 || (*(char *)a == 1 && ((char *)a)[size - 1] == 1));
            assert_true(size == 0 || (*(char *)b == 2 && ((char *)b)[size - 1] == 2));
            do_free(a);
            do_free(b);
            do_free(c);
        }
    }
}

static void aligned_blocks_can_be_reallocated(void **state) {
    (void)state;
    for (size_t alignment = 32; alignment <= 65536; alignment *= 2) {
        char *block = do_aligned_alloc(alignment, 100);
        memset(block, 9, 100);
        block = do_realloc(block, 100000);
        assert_non_null(block);
        for (size_t at = 0; at < 100; at++)
            assert_int_equal(block[at], 9);
        do_free(block);
    }
}

static void wrong_alignments_are_refused(void **state) {
    (void)state;
    static const size_t no_power[] = {0, 3, 12, 24, 48, 100, SIZE_MAX};
    for (size_t i = 0; i < sizeof no_power / sizeof no_power[0]; i++) {
        void *out = &out;
        errno = 0;
        assert_null(do_aligned_alloc(no_power[i], 64));
        assert_int_equal(errno, EINVAL);
        errno = 0;
        assert_int_equal(do_posix_memalign(&out, no_power[i], 64), EINVAL);
        assert_ptr_equal(out, &out);
        assert_int_equal(errno, 0);
    }
    void *out = &out;
    assert_int_equal(do_posix_memalign(&out, sizeof(void *) / 2, 64), EINVAL);
    assert_ptr_equal(out, &out);
}

/* glibc's own reading of memalign, older than POSIX's. */
static void memalign_takes_the_next_power(void **state) {
    (void)state;
    for (size_t alignment = 0; alignment < 300; alignment++) {
        void *block = do_memalign(alignment, 10);
        size_t power = 16;
        while (power < alignment)
            power *= 2;
        assert_non_null(block);
        assert_aligned(block, power);
        do_free(block);
    }
    errno = 0;
    assert_null(do_memalign(SIZE_MAX, 10));
    assert_int_equal(errno, EINVAL);
}

static void valloc_and_pvalloc_give_pages(void **state) {
    (void)state;
    for (size_t size = 0; size < 40000; size += 509) {
        void *v = valloc(size), *p = pvalloc(size);
        assert_non_null(v);
        assert_non_null(p);
        assert_aligned(v, PAGE);
        assert_aligned(p, PAGE);
        assert_true(malloc_usable_size(v) >= size);
        assert_true(malloc_usable_size(p) >= (size + PAGE - 1) / PAGE * PAGE);
        do_free(v);
        do_free(p);
    }
}

static void success_leaves_errno_alone(void **state) {
    (void)state;
    static void *block[2000];
    errno = 12345;
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < 2000; i++)
            block[i] = do_malloc(i * 97 % 100000);
        for (size_t i = 0; i < 2000; i++)
            block[i] = do_realloc(block[i], i * 61 % 90000 + 1);
        for (size_t i = 0; i < 2000; i++)
            do_free(block[i]);
    }
    do_free(do_calloc(7, 1 << 20));
    do_free(do_aligned_alloc(1 << 16, 1 << 20));
    malloc_trim(0);
    assert_int_equal(errno, 12345);
}

static void usable_size_of_nothing_is_zero(void **state) {
    (void)state;
    assert_int_equal(malloc_usable_size(NULL), 0);
}

/* mallinfo is deprecated for its int fields, and exported for those who call it all the same. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static struct mallinfo narrow_mallinfo(void) {
    return mallinfo();
}
#pragma GCC diagnostic pop

static void mallinfo2_follows_what_is_held(void **state) {
    (void)state;
    struct mallinfo2 before = mallinfo2();
    static void *block[1000];
    for (size_t i = 0; i < 1000; i++)
        block[i] = do_malloc(1000);
    void *large = do_malloc(10 << 20);
    struct mallinfo2 held = mallinfo2();
    assert_in_range(held.uordblks - before.uordblks, 1000000, 1300000);
    assert_int_equal(held.hblks, before.hblks + 1);
    assert_in_range(held.hblkhd - before.hblkhd, 10 << 20, (10 << 20) + 65536);
    assert_true(held.arena >= held.uordblks);
    struct mallinfo narrow = narrow_mallinfo();
    assert_int_equal(narrow.uordblks, (int)held.uordblks);
    assert_int_equal(narrow.hblkhd, (int)held.hblkhd);
    for (size_t i = 0; i < 1000; i++)
        do_free(block[i]);
    do_free(large);
    assert_int_equal(mallinfo2().uordblks, before.uordblks);
    assert_int_equal(mallinfo2().hblkhd, before.hblkhd);
}

static void mallinfo_clamps_what_does_not_fit(void **state) {
    (void)state;
    void *large = do_malloc((size_t)3 << 30);
    if (large == NULL) {
        print_message("skipped: no 3 GiB of address space here\n");
        skip();
    }
    assert_int_equal(narrow_mallinfo().hblkhd, INT_MAX);
    do_free(large);
}

static void malloc_info_writes_glibcs_document(void **state) {
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    assert_int_equal(malloc_info(1, stream), EINVAL);
    assert_int_equal(malloc_info(0, stream), 0);
    fclose(stream);
    assert_ptr_equal(strstr(text, "<malloc version=\"1\">\n"), text);
    assert_string_equal(text + length - strlen("</malloc>\n"), "</malloc>\n");
    const char *mapped = strstr(text, "<total type=\"mmap\" count=\"");
    assert_non_null(mapped);
    do_free(text);
    stream = fopen("/dev/full", "w");
    assert_non_null(stream);
    setvbuf(stream, NULL, _IONBF, 0);
    assert_int_equal(malloc_info(0, stream), -1);
    fclose(stream);
}

static void malloc_stats_writes_to_stderr(void **state) {
    (void)state;
    char text[1024] = "";
    int ends[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    malloc_stats();
    dup2(saved, STDERR_FILENO);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "system bytes     = "));
    assert_non_null(strstr(text, "in use bytes     = "));
    close(ends[0]);
    close(ends[1]);
    close(saved);
}

static size_t resident_pages(void) {
    size_t total = 0, resident = 0;
    FILE *stream = fopen("/proc/self/statm", "r");
    assert_non_null(stream);
    assert_int_equal(fscanf(stream, "%zu %zu", &total, &resident), 2);
    fclose(stream);
    return resident;
}

static void malloc_trim_gives_idle_memory_back(void **state) {
    (void)state;
    enum { BLOCKS = 40000, SIZE = 1000 };
    static void *block[BLOCKS];
    malloc_trim(0);
    size_t before = resident_pages();
    for (size_t i = 0; i < BLOCKS; i++)
        block[i] = memset(do_malloc(SIZE), 1, SIZE);
    size_t held = resident_pages();
    for (size_t i = 0; i < BLOCKS; i++)
        do_free(block[i]);
    malloc_trim(0);
    assert_int_equal(malloc_trim(0), 0); /* nothing was left */
    size_t after = resident_pages();
    assert_true(held - before > BLOCKS * (SIZE / 2) / PAGE);
    assert_true(after - before < (held - before) / 4);
}

static void mallopt_knows_glibcs_parameters(void **state) {
    (void)state;
    assert_int_equal(mallopt(M_MMAP_THRESHOLD, 1 << 20), 1);
    assert_int_equal(mallopt(M_ARENA_MAX, 2), 1);
    assert_int_equal(mallopt(4711, 2), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_the_drop_ins),
        cmocka_unit_test(zero_bytes_are_a_block_of_their_own),
        cmocka_unit_test(blocks_of_every_size_are_apart),
        cmocka_unit_test(calloc_gives_zeros_where_others_wrote),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(products_that_overflow_are_refused),
        cmocka_unit_test(realloc_keeps_the_bytes),
        cmocka_unit_test(realloc_shrinks_give_memory_back),
        cmocka_unit_test(realloc_to_nothing_frees),
        cmocka_unit_test(every_alignment_holds_for_every_size),
        cmocka_unit_test(aligned_blocks_can_be_reallocated),
        cmocka_unit_test(wrong_alignments_are_refused),
        cmocka_unit_test(memalign_takes_the_next_power),
        cmocka_unit_test(valloc_and_pvalloc_give_pages),
        cmocka_unit_test(success_leaves_errno_alone),
        cmocka_unit_test(usable_size_of_nothing_is_zero),
        cmocka_unit_test(mallinfo2_follows_what_is_held),
        cmocka_unit_test(mallinfo_clamps_what_does_not_fit),
        cmocka_unit_test(malloc_info_writes_glibcs_document),
        cmocka_unit_test(malloc_stats_writes_to_stderr),
        cmocka_unit_test(malloc_trim_gives_idle_memory_back),
        cmocka_unit_test(mallopt_knows_glibcs_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
