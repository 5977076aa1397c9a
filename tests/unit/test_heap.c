/* Checked blocks for malloc and new (check/heap.h), against a model, and what is reported of misuse. */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define RXPOOL_CHECKED 1
#include <ntifs.h>
#include <ntrxdef.h>

#include "base/base.h"
#include "check/check.h"
#include "check/heap.h"
#include "check/registry.h"
#include "held.h"

#define TAG 0x70616548u /* "Heap" */

static const struct caller here = {.routine = "test"};
static char reports[] = "/tmp/rxpool-heap-XXXXXX";

/* --- the memory that blocks are made of ------------------------------------------------------- */

static bool exhausted;
static bool resizes;

static void *from_pool(size_t size, size_t alignment, unsigned flags, const struct caller *c) {
    (void)c;
    if (exhausted)
        return NULL;
    /* From a page up the pool aligns to pages; that is as much as the tests ask for. */
    size_t ask = alignment > 16 && size < 4096 ? 4096 : size;
    POOL_TYPE type = (POOL_TYPE)(NonPagedPoolNx | (flags & HEAP_ZERO ? POOL_ZERO_ALLOCATION : 0));
    return ExAllocatePoolWithTag(type, ask, TAG);
}

/* Half of the time, in no step with what a test does: all of them see both ways. */
static struct backend_memory from_pool_quickly(size_t size, const struct caller *c) {
    static _Atomic uint32_t calls;
    (void)c;
    if (exhausted || (calls++ * 0x9E3779B9u) >> 31 == 0)
        return (struct backend_memory){NULL, false};
    return pool_backend()->allocate(NonPagedPoolNx, size, TAG);
}

static size_t size_in_pool(const void *memory) {
    BOOLEAN charged;
    return ExQueryPoolBlockSize((void *)(uintptr_t)memory, &charged);
}

static bool resize_in_pool(void *memory, size_t size) {
    return resizes && size <= size_in_pool(memory);
}

static void describe(struct text *out, const void *address) {
    text_string(out, address != NULL ? "somewhere" : "nowhere");
}

static const struct check_heap pool = {TAG,          from_pool, from_pool_quickly, resize_in_pool,
                                       size_in_pool, NULL,      describe};

/* --- short names ------------------------------------------------------------------------------- */

static void *allocate(size_t size) {
    return check_heap_allocate(size, 0, 0, HEAP_MALLOC, &here);
}

static void release(void *block) {
    check_heap_free(block, HEAP_MALLOC, &here);
}

/* What was reported since the last call, which must hold `text`; "" for nothing at all. */
static void assert_reported(const char *text) {
    static long read_up_to;
    char said[8192] = "";
    FILE *f = fopen(reports, "r");
    assert_non_null(f);
    fseek(f, read_up_to, SEEK_SET);
    said[fread(said, 1, sizeof said - 1, f)] = '\0';
    read_up_to = ftell(f);
    fclose(f);
    if (text[0] == '\0' ? said[0] != '\0' : strstr(said, text) == NULL)
        fail_msg("reported was not '%s' but '%s'", text, said);
}

/* --- tests -------------------------------------------------------------------------------------- */

static void sizes_and_alignments_are_as_asked(void **state) {
    (void)state;
    for (size_t alignment = 0; alignment <= 4096; alignment = alignment == 0 ? 16 : 2 * alignment) {
        for (size_t size = 0; size < 9000; size += size < 300 ? 1 : 257) {
            unsigned char *p = check_heap_allocate(size, alignment, 0, HEAP_MALLOC, &here);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % (alignment < 16 ? 16 : alignment), 0);
            assert_int_equal(check_heap_size(p), size);
            memset(p, 1, size);
            release(p);
            assert_int_equal(check_heap_size(p), 0);
        }
    }
    assert_reported("");
}

static void blocks_of_no_bytes_are_all_guard(void **state) {
    (void)state;
    unsigned char *p = allocate(0), *q = allocate(0);
    assert_ptr_not_equal(p, q);
    release(q);
    assert_reported("");
    p[0] = 1;
    release(p);
    assert_reported("what: bytes behind the end of a block were overwritten\n");
}

static void fresh_bytes_are_filled_or_zero(void **state) {
    (void)state;
    /* Each size some times: then its memory has been written to. */
    for (size_t step = 0; step < 4 * 43; step++) {
        size_t size = 1 + step / 4 * 211;
        unsigned char *dirty = allocate(size);
        unsigned char *zero = check_heap_allocate(size, 0, HEAP_ZERO, HEAP_MALLOC, &here);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(zero[i], 0);
            if (i < 4096)
                assert_int_equal(dirty[i], 0xC5);
        }
        memset(zero, 1, size);
        release(dirty);
        release(zero);
        check_drain(true, &here);
    }
}

static void absurd_sizes_are_refused(void **state) {
    (void)state;
    for (size_t size = SIZE_MAX; size > SIZE_MAX / 2 - 100; size = size / 2 - 10)
        assert_null(allocate(size));
    assert_null(check_heap_allocate(SIZE_MAX / 2, 4096, 0, HEAP_MALLOC, &here));
    unsigned char *p = allocate(10);
    memset(p, 7, 10);
    assert_null(check_heap_resize(p, SIZE_MAX, HEAP_MALLOC, &here));
    assert_null(check_heap_resize(p, PTRDIFF_MAX, HEAP_MALLOC, &here));
    assert_int_equal(p[9], 7);
    release(p);
    assert_reported("");
}

/* `header` bytes in front of a block of `size`, which is freed, or resized on the other bytes. */
static void damage_each_byte(int header, int size) {
    int end = (header + size + 1 + 15) / 16 * 16 - header;
    for (int at = -header; at < end; at = at == -1 ? size : at + 1) {
        unsigned char *p = allocate((size_t)size);
        p[at] ^= 0x20;
        if (at % 2 == 0)
            release(p);
        else
            release(check_heap_resize(p, 70, HEAP_MALLOC, &here));
        assert_reported(at < 0 ? "what: the header in front of a block was overwritten\n"
                               : "what: bytes behind the end of a block were overwritten\n");
    }
}

static void every_damaged_byte_is_seen(void **state) {
    (void)state;
    damage_each_byte(16, 37);
    damage_each_byte(16, 95);
    damage_each_byte(32, 96);
    damage_each_byte(32, 501);
}

static void late_writes_and_second_frees_are_told(void **state) {
    (void)state;
    unsigned char *p = allocate(100);
    release(p);
    release(p);
    assert_reported("what: a block was freed a second time\n");
    assert_null(check_heap_resize(p, 50, HEAP_MALLOC, &here));
    assert_reported("what: a freed block was resized\n");
    p[99] = 1;
    check_drain(true, &here);
    assert_reported("what: a block was written to after it was freed\n");
}

/* How often the reports say so, all since the start. */
static unsigned count_reported(const char *text) {
    static char said[1 << 20];
    unsigned count = 0;
    FILE *f = fopen(reports, "r");
    assert_non_null(f);
    said[fread(said, 1, sizeof said - 1, f)] = '\0';
    fclose(f);
    for (const char *at = said; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

/* Many small blocks leave the quarantine for a large one: each is looked at. */
static void late_writes_are_told_of_blocks_that_leave_together(void **state) {
    enum { BLOCKS = 600, EACH = 60, LARGE = 60000 };
    static const char late[] = "what: a block was written to after it was freed\n";
    static unsigned char *block[BLOCKS];
    unsigned before = count_reported(late);
    (void)state;
    for (int i = 0; i < BLOCKS; i++)
        block[i] = allocate(i % 2 == 0 ? 40 : 300);
    for (int i = 0; i < BLOCKS; i++)
        release(block[i]);
    for (int i = EACH / 2; i < BLOCKS; i += EACH)
        block[i + i / EACH % 2][i % 40] = 1;
    for (int i = 0; i < 2 * (1 << 20) / LARGE; i++)
        release(allocate(LARGE));
    assert_int_equal(count_reported(late) - before, BLOCKS / EACH);
    assert_reported(late);
}

static void what_is_no_block_is_told(void **state) {
    (void)state;
    static int global;
    unsigned char *p = allocate(5000);
    release(&global);
    assert_reported("what: an address that is in no pool was freed\n");
    release(&global);
    assert_reported("lies in: somewhere\n");
    assert_null(check_heap_resize(&global, 10, HEAP_MALLOC, &here));
    assert_reported("what: an address that is in no pool was resized\n");
    release(p + 16);
    assert_reported("offset: 16 from the start of the block\n");
    release(p - 32);
    assert_reported("offset: -32 from the start of the block\n");
    assert_null(check_heap_resize(p + 4999, 10, HEAP_MALLOC, &here));
    assert_reported("what: an address inside a block was resized\n");
    assert_int_equal(check_heap_size(p + 16), 0);
    release(p);
    release(NULL);
    assert_reported("");
}

static void families_are_told_apart(void **state) {
    (void)state;
    static const enum heap_family family[] = {HEAP_MALLOC, HEAP_NEW, HEAP_NEW_ARRAY};
    for (unsigned a = 0; a < 3; a++) {
        for (unsigned b = 0; b < 3; b++) {
            void *p = check_heap_allocate(10, 0, 0, family[a], &here);
            check_heap_free(p, family[b], &here);
            assert_reported(a == b ? ""
                                   : "what: a block was freed by a routine of another family\n");
            assert_int_equal(check_heap_size(p), 0); /* told to go on, it is freed all the same */
        }
    }
    RxFreePool(check_heap_allocate(10, 0, 0, HEAP_NEW, &here));
    assert_reported("allocated by: operator new\n");
    void *rx = RxAllocatePoolWithTag(PagedPool, 10, TAG);
    release(rx);
    assert_reported("allocated by: a routine of the pool\n");
}

static void resizing_moves(void **state) {
    (void)state;
    for (size_t from = 0; from < 200; from += 13) {
        for (size_t to = 0; to < 200; to += 11) {
            unsigned char *p = allocate(from);
            memset(p, 0x5A, from);
            unsigned char *q = check_heap_resize(p, to, HEAP_MALLOC, &here);
            assert_ptr_not_equal(q, p);
            assert_int_equal(check_heap_size(p), 0);
            assert_int_equal(check_heap_size(q), to);
            for (size_t i = 0; i < to; i++)
                assert_int_equal(q[i], i < from ? 0x5A : 0xC5);
            release(q);
        }
    }
    assert_reported("");
}

static void a_large_block_stays_where_it_can(void **state) {
    (void)state;
    size_t size = (size_t)1 << 20;
    unsigned char *p = allocate(size);
    memset(p, 1, size);
    resizes = true;
    assert_ptr_equal(check_heap_resize(p, size - 5000, HEAP_MALLOC, &here), p);
    resizes = false;
    assert_int_equal(check_heap_size(p), size - 5000);
    assert_reported("");
    p[size - 5000] = 1; /* its guard has moved with its end */
    release(p);
    assert_reported("damage: offset 1043576, 1 byte: 01 (expected bd)\n");
}

static void short_memory_leaves_the_block_alone(void **state) {
    (void)state;
    unsigned char *p = allocate(100);
    p[99] = 9;
    exhausted = true;
    assert_null(allocate(1));
    assert_null(check_heap_resize(p, 200, HEAP_MALLOC, &here));
    assert_reported("");
    static int global;
    assert_null(check_heap_resize(&global, 200, HEAP_MALLOC, &here));
    assert_reported("what: an address that is in no pool was resized\n");
    exhausted = false;
    assert_int_equal(check_heap_size(p), 100);
    assert_int_equal(p[99], 9);
    release(p);
    assert_reported("");
}

static void the_sweep_finds_what_is_never_freed(void **state) {
    (void)state;
    unsigned char *p = allocate(64), *q = allocate(64);
    check_heap_sweep(&here);
    assert_reported("");
    q[64] = 0;
    check_heap_sweep(&here);
    assert_reported("damage: offset 64, 1 byte: 00 (expected bd)\n");
    check_heap_sweep(&here); /* set aside: told once */
    assert_reported("");
    release(p);
}

/* --- random operations against a model ---------------------------------------------------------- */

enum { LIVE = 300, STEPS = 60000 };

struct model {
    unsigned char *block;
    size_t size;
    unsigned char byte;
};

static void assert_bytes(const struct model *m, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (m->block[i] != m->byte)
            fail_msg("byte %zu of %zu changed", i, m->size);
}

static uint64_t next_random(uint64_t *random) {
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return *random >> 33;
}

static void resize_model(struct model *m, size_t size) {
    size_t kept = m->size < size ? m->size : size;
    m->block = check_heap_resize(m->block, size, HEAP_MALLOC, &here);
    assert_non_null(m->block);
    m->size = kept;
    assert_bytes(m, kept);
    m->size = size;
}

static void random_operations_keep_every_byte(void **state) {
    (void)state;
    static struct model live[LIVE];
    uint64_t random = 20240607;
    resizes = true;
    for (int step = 0; step < STEPS; step++) {
        struct model *m = &live[next_random(&random) % LIVE];
        unsigned large = next_random(&random) % 100 == 0 ? 400000 : 700;
        size_t size = next_random(&random) % large;
        if (m->block == NULL) {
            size_t alignment = next_random(&random) % 8 == 0 ? 64 : 0;
            m->block = check_heap_allocate(size, alignment, 0, HEAP_MALLOC, &here);
            assert_non_null(m->block);
            m->size = size;
        } else if (next_random(&random) % 2 == 0) {
            resize_model(m, size);
        } else {
            assert_bytes(m, m->size);
            assert_int_equal(check_heap_size(m->block), m->size);
            release(m->block);
            m->block = NULL;
            continue;
        }
        m->byte = (unsigned char)next_random(&random);
        memset(m->block, m->byte, m->size);
    }
    for (struct model *m = live; m < live + LIVE; m++)
        release(m->block);
    check_heap_sweep(&here);
    check_drain(true, &here);
    assert_reported("");
    resizes = false;
}

/* Whatever sizes leave the quarantine for whatever sizes: the account knows what is held of it. */
static void held_blocks_are_counted(void **state) {
    enum { OPERATIONS = 30000 };
    static void *live[LIVE];
    uint64_t random = 1;
    (void)state;
    for (int i = 0; i < OPERATIONS; i++) {
        unsigned most = next_random(&random) % 50 == 0 ? 30000 : 400;
        size_t size = next_random(&random) % most;
        enum heap_family family = HEAP_MALLOC + (enum heap_family)(i % LIVE % 3);
        void **p = &live[i % LIVE];
        if (*p != NULL && next_random(&random) % 3 == 0) {
            *p = check_heap_resize(*p, size, family, &here);
        } else {
            check_heap_free(*p, family, &here);
            *p = check_heap_allocate(size, 0, 0, family, &here);
        }
        assert_non_null(*p);
    }
    assert_held_is_counted();
    for (int i = 0; i < LIVE; i++)
        check_heap_free(live[i], HEAP_MALLOC + (enum heap_family)(i % 3), &here);
    assert_reported("");
}

/* --- races --------------------------------------------------------------------------------------- */

static void *_Atomic shared_block;

/* A misuse on purpose: both threads resize and free what both know. */
static void *fight(void *argument) {
    for (int i = 0; i < 3000; i++) {
        void *p = shared_block;
        void *q = check_heap_resize(p, 20 + (size_t)i % 900, HEAP_MALLOC, &here);
        if (q != NULL)
            shared_block = q;
        if (i % 7 == 0) {
            release(p);
            shared_block = allocate(30);
        }
    }
    return argument;
}

static void racing_resizes_are_told_and_survived(void **state) {
    (void)state;
    pthread_t thread[2];
    shared_block = allocate(40);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, fight, NULL), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    assert_reported("what: a ");
    unsigned char *p = allocate(100);
    memset(p, 1, 100);
    release(p);
    truncate(reports, 0);
}

int main(void) {
    char options[256];
    int fd = mkstemp(reports);
    close(fd);
    snprintf(options, sizeof options, "on_error=log:report=%s", reports);
    setenv("RXPOOL_OPTIONS", options, 1);
    if (!check_heap_use(&pool))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_and_alignments_are_as_asked),
        cmocka_unit_test(blocks_of_no_bytes_are_all_guard),
        cmocka_unit_test(fresh_bytes_are_filled_or_zero),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(every_damaged_byte_is_seen),
        cmocka_unit_test(held_blocks_are_counted),
        cmocka_unit_test(late_writes_and_second_frees_are_told),
        cmocka_unit_test(late_writes_are_told_of_blocks_that_leave_together),
        cmocka_unit_test(what_is_no_block_is_told),
        cmocka_unit_test(families_are_told_apart),
        cmocka_unit_test(resizing_moves),
        cmocka_unit_test(a_large_block_stays_where_it_can),
        cmocka_unit_test(short_memory_leaves_the_block_alone),
        cmocka_unit_test(random_operations_keep_every_byte),
        cmocka_unit_test(the_sweep_finds_what_is_never_freed),
        cmocka_unit_test(racing_resizes_are_told_and_survived),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(reports);
    return failed;
}
