/*
 * Every bug check that the allocate and free calls document, with its parameters. Run again with
 * the argument "strict" under RXPOOL_OPTIONS=strict=1 for what stops only there, and with "log"
 * under on_error=log, where the process goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <ntifs.h>

#include "stops.h"

#define TAG 0x74736554u /* "Test" */
#define BAD_POOL_CALLER 0xC2, "BAD_POOL_CALLER"

struct call {
    ULONG type;
    SIZE_T size;
    ULONG tag;
    KIRQL irql;
    PVOID block;
};

static void do_allocate(void *argument) {
    struct call *c = argument;
    KIRQL old;

    KeRaiseIrql(c->irql, &old);
    ExAllocatePoolWithTag((POOL_TYPE)c->type, c->size, c->tag);
}

static void do_allocate2(void *argument) {
    struct call *c = argument;
    KIRQL old;

    KeRaiseIrql(c->irql, &old);
    ExAllocatePool2(c->type, c->size, c->tag);
}

static void do_free(void *argument) {
    struct call *c = argument;
    KIRQL old;

    KeRaiseIrql(c->irql, &old);
    ExFreePool(c->block);
}

static void do_free_with_tag(void *argument) {
    struct call *c = argument;

    ExFreePoolWithTag(c->block, c->tag);
}

static void do_free_twice(void *argument) {
    struct call *c = argument;

    ExFreePool(c->block);
    ExFreePool(c->block);
}

/* --- allocation ------------------------------------------------------------------------------- */

static void paged_allocation_at_dispatch(void **state) {
    struct call c = {PagedPool, 100, TAG, DISPATCH_LEVEL, NULL};
    struct stop_seen seen;

    (void)state;
    ExFreePool(ExAllocatePoolWithTag(PagedPool, 100, TAG)); /* fast when the IRQL is low */
    stop_run(&seen, do_allocate, &c);
    assert_stop(&seen, BAD_POOL_CALLER, 0x08, DISPATCH_LEVEL, PagedPool, 100);
    assert_report(&seen, "request: 100 bytes, type 0x1, tag Test\n");
    stop_run(&seen, do_allocate2, &(struct call){POOL_FLAG_PAGED, 100, TAG, DISPATCH_LEVEL, NULL});
    assert_stop(&seen, BAD_POOL_CALLER, 0x08, DISPATCH_LEVEL, POOL_FLAG_PAGED, 100);
}

static void any_allocation_above_dispatch(void **state) {
    struct call c = {NonPagedPoolNx, 8, TAG, HIGH_LEVEL, NULL};
    struct stop_seen seen;

    (void)state;
    stop_run(&seen, do_allocate, &c);
    assert_stop(&seen, BAD_POOL_CALLER, 0x08, HIGH_LEVEL, NonPagedPoolNx, 8);
}

static void nonpaged_allocation_at_dispatch_is_allowed(void **state) {
    KIRQL old;
    PVOID block;

    (void)state;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    block = ExAllocatePoolWithTag(NonPagedPool, 100, TAG);
    assert_non_null(block);
    ExFreePoolWithTag(block, TAG);
    KeLowerIrql(old);
}

static void must_succeed_pool(void **state) {
    struct call c = {NonPagedPoolMustSucceed, 24, TAG, PASSIVE_LEVEL, NULL};
    struct stop_seen seen;

    (void)state;
    stop_run(&seen, do_allocate, &c);
    assert_stop(&seen, BAD_POOL_CALLER, 0x9A, NonPagedPoolMustSucceed, 24, TAG);
    c.type = NonPagedPoolCacheAlignedMustS;
    stop_run(&seen, do_allocate, &c);
    assert_stop(&seen, BAD_POOL_CALLER, 0x9A, NonPagedPoolCacheAlignedMustS, 24, TAG);
}

static void types_that_do_not_exist(void **state) {
    static const ULONG types[] = {DontUseThisType, MaxPoolType, 64, 0x2000, 0x80000000u};
    struct stop_seen seen;

    (void)state;
    for (size_t i = 0; i < RTL_NUMBER_OF(types); i++) {
        struct call c = {types[i], 24, TAG, PASSIVE_LEVEL, NULL};

        stop_run(&seen, do_allocate, &c);
        assert_stop(&seen, 0x13A, "KERNEL_MODE_HEAP_CORRUPTION", 0x09, 0, types[i], TAG);
    }
}

/* A type and a tag make 64 bits, by which a thread finds what it knows of a tag: every value is such a caller's. */
static void types_that_look_like_nothing_known(void **state) {
    static const struct {
        ULONG type, tag;
    } calls[] = {{0x60000000u, 0}, {0xE0000000u, 0}, {0xE0000000u, 1}, {0xDFFFFFFFu, 0xFFFFFFFFu}};
    struct stop_seen seen;

    (void)state;
    for (size_t i = 0; i < RTL_NUMBER_OF(calls); i++) {
        struct call c = {calls[i].type, 24, calls[i].tag, PASSIVE_LEVEL, NULL};

        stop_run(&seen, do_allocate, &c);
        assert_stop(&seen, 0x13A, "KERNEL_MODE_HEAP_CORRUPTION", 0x09, 0, c.type, c.tag);
    }
}

static void tag_of_zero(void **state) {
    struct call c = {PagedPool, 24, 0, PASSIVE_LEVEL, NULL};
    struct stop_seen seen;

    (void)state;
    stop_run(&seen, do_allocate, &c);
    assert_stop_caller(&seen, BAD_POOL_CALLER, 0x9B, PagedPool, 24);
    c.tag = PROTECTED_POOL;
    stop_run(&seen, do_allocate, &c);
    assert_stop_caller(&seen, BAD_POOL_CALLER, 0x9B, PagedPool, 24);
}

static void tag_big(void **state) {
    struct call c = {PagedPool, 24, 0x42494720, PASSIVE_LEVEL, NULL};
    struct stop_seen seen;

    (void)state;
    stop_run(&seen, do_allocate, &c);
    assert_stop_caller(&seen, BAD_POOL_CALLER, 0x9C, PagedPool, 24);
    c.tag = 0x20474942; /* "BIG " as it lies in memory */
    stop_run(&seen, do_allocate, &c);
    assert_stop_caller(&seen, BAD_POOL_CALLER, 0x9C, PagedPool, 24);
    stop_run(&seen, do_allocate2, &(struct call){POOL_FLAG_PAGED, 24, c.tag, 0, NULL});
    assert_stop_caller(&seen, BAD_POOL_CALLER, 0x9C, POOL_FLAG_PAGED, 24);
}

static void tag_without_letter_or_digit(void **state) {
    struct call c = {PagedPool, 24, 0x2B2D2A2F, PASSIVE_LEVEL, NULL};
    struct stop_seen seen;

    (void)state;
    stop_run(&seen, do_allocate, &c);
    assert_stop_caller(&seen, BAD_POOL_CALLER, 0x9D, c.tag, PagedPool);
}

static void zero_bytes_under_strict(void **state) {
    struct call c = {PagedPool, 0, TAG, PASSIVE_LEVEL, NULL};
    struct stop_seen seen;

    (void)state;
    ExFreePool(ExAllocatePoolWithTag(PagedPool, 16, TAG)); /* zero bytes are of the same class */
    stop_run(&seen, do_allocate, &c);
    assert_stop(&seen, BAD_POOL_CALLER, 0x00, 0, PagedPool, TAG);
}

static void do_lookaside(void *argument) {
    ExInitializeNPagedLookasideList(argument, NULL, NULL, 0, 4, TAG, 0);
}

static void small_lookaside_blocks_under_strict(void **state) {
    NPAGED_LOOKASIDE_LIST list;
    struct stop_seen seen;

    (void)state;
    stop_run(&seen, do_lookaside, &list);
    assert_stop(&seen, 0xC4, "DRIVER_VERIFIER_DETECTED_VIOLATION", 0xCD, (uintptr_t)&list, 4,
                LOOKASIDE_MINIMUM_BLOCK_SIZE);
}

/* --- free ------------------------------------------------------------------------------------- */

static void paged_free_at_dispatch(void **state) {
    struct call c = {0, 0, 0, DISPATCH_LEVEL, ExAllocatePoolWithTag(PagedPool, 100, TAG)};
    struct stop_seen seen;

    (void)state;
    stop_run(&seen, do_free, &c);
    assert_stop(&seen, BAD_POOL_CALLER, 0x09, DISPATCH_LEVEL, PagedPool, (uintptr_t)c.block);
    assert_report(&seen, "block: ");
    assert_report(&seen, " tag Test type Paged\n");
    ExFreePool(c.block);
}

static void nonpaged_free_above_dispatch(void **state) {
    struct call c = {0, 0, 0, HIGH_LEVEL, ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG)};
    struct stop_seen seen;

    (void)state;
    stop_run(&seen, do_free, &c);
    assert_stop(&seen, BAD_POOL_CALLER, 0x09, HIGH_LEVEL, NonPagedPool, (uintptr_t)c.block);
    ExFreePool(c.block);
}

static void wrong_tag(void **state) {
    static const SIZE_T sizes[] = {1, 16, 500, 4000, 4096, 30000, 100000, 5000000};
    struct stop_seen seen;

    (void)state;
    for (size_t i = 0; i < RTL_NUMBER_OF(sizes); i++) {
        struct call c = {0, 0, 0x6C696146, 0, ExAllocatePoolWithTag(PagedPool, sizes[i], TAG)};

        assert_non_null(c.block);
        stop_run(&seen, do_free_with_tag, &c);
        assert_stop(&seen, BAD_POOL_CALLER, 0x0A, (uintptr_t)c.block, TAG, c.tag);
        ExFreePoolWithTag(c.block, TAG);
    }
}

static void null_and_foreign_addresses(void **state) {
    static int global;
    int local;
    PVOID mapped = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    PVOID addresses[] = {NULL, &global, &local, mapped, (PVOID)0x1000, (PVOID) ~(uintptr_t)15};
    struct stop_seen seen;

    (void)state;
    for (size_t i = 0; i < RTL_NUMBER_OF(addresses); i++) {
        struct call c = {.tag = TAG, .block = addresses[i]};

        stop_run(&seen, do_free, &c);
        assert_stop(&seen, BAD_POOL_CALLER, 0x46, (uintptr_t)c.block, 0, 0);
        stop_run(&seen, do_free_with_tag, &c);
        assert_stop(&seen, BAD_POOL_CALLER, 0x46, (uintptr_t)c.block, 0, 0);
    }
    munmap(mapped, 4096);
}

static void interior_addresses(void **state) {
    static const struct {
        SIZE_T size, offset;
    } cases[] = {{64, 1},       {64, 16},       {64, 48},       {100, 8},
                 {1000, 16},    {4000, 2048},   {4096, 16},     {8192, 4096},
                 {32768, 4096}, {100000, 4096}, {100000, 65536}};
    struct stop_seen seen;

    (void)state;
    for (size_t i = 0; i < RTL_NUMBER_OF(cases); i++) {
        char *block = ExAllocatePoolWithTag(PagedPool, cases[i].size, TAG);
        struct call c = {.block = block + cases[i].offset};

        assert_non_null(block);
        stop_run(&seen, do_free, &c);
        assert_stop(&seen, BAD_POOL_CALLER, 0x99, (uintptr_t)c.block, 0, 0);
        ExFreePool(block);
    }
}

static void freed_span(void **state) {
    struct call c = {.block = ExAllocatePoolWithTag(PagedPool, 1000000, TAG)};
    struct stop_seen seen;

    (void)state;
    assert_non_null(c.block);
    stop_run(&seen, do_free_twice, &c);
    assert_stop(&seen, BAD_POOL_CALLER, 0x41, (uintptr_t)c.block, (uintptr_t)c.block >> 12, 0);
    ExFreePool(c.block);
}

static void double_free_under_strict(void **state) {
    static const SIZE_T sizes[] = {1, 64, 1000, 3000, 4096, 20000};
    struct stop_seen seen;

    (void)state;
    for (size_t i = 0; i < RTL_NUMBER_OF(sizes); i++) {
        PVOID neighbour = ExAllocatePoolWithTag(PagedPool, sizes[i], TAG);
        struct call c = {.block = ExAllocatePoolWithTag(PagedPool, sizes[i], TAG)};

        stop_run(&seen, do_free_twice, &c);
        assert_stop(&seen, BAD_POOL_CALLER, 0x07, 0, 0, (uintptr_t)c.block);
        ExFreePool(c.block);
        ExFreePool(neighbour);
    }
}

/* --- on_error=log ----------------------------------------------------------------------------- */

static void do_misuses(void *argument) {
    struct call *c = argument;
    KIRQL old;

    ExFreePoolWithTag(c->block, 0x6C696146);
    ExFreePool((char *)c->block + 16);
    ExFreePool(NULL);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    ExFreePool(c->block);
    if (ExAllocatePoolWithTag(PagedPool, 8, TAG) != NULL)
        ExRaiseStatus(1);
    KeLowerIrql(old);
    if (ExAllocatePoolWithTag(PagedPool, 8, 0) != NULL)
        ExRaiseStatus(2);
    memset(c->block, 1, 100); /* it is still there */
    ExFreePoolWithTag(c->block, TAG);
}

static void every_violation_is_logged(void **state) {
    static const char *const expected[] = {"(0x000000000000000A, ", "(0x0000000000000099, ",
                                           "(0x0000000000000046, ", "(0x0000000000000009, ",
                                           "(0x0000000000000008, ", "(0x000000000000009B, "};
    struct call c = {.block = ExAllocatePoolWithTag(PagedPool, 100, TAG)};
    struct stop_seen seen;

    (void)state;
    stop_run(&seen, do_misuses, &c);
    for (size_t i = 0; i < RTL_NUMBER_OF(expected); i++)
        assert_report(&seen, expected[i]);
    assert_int_equal(seen.signal, 0);
    ExFreePool(c.block);
}

/* --- bug checks by hand ----------------------------------------------------------------------- */

static void do_bug_check(void *argument) {
    (void)argument;
    KeBugCheckEx(0xC2, 1, 2, 3, 4);
}

static void do_raise(void *argument) {
    (void)argument;
    ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
}

static void do_assert(void *argument) {
    RtlAssert((PVOID)(ULONG_PTR) "1 == 2", (PVOID)(ULONG_PTR) "file.c", 7, argument);
}

static void bug_check_reports_its_parameters(void **state) {
    struct stop_seen seen;

    (void)state;
    stop_run(&seen, do_bug_check, NULL);
    assert_stop(&seen, BAD_POOL_CALLER, 1, 2, 3, 4);
}

static void raise_without_handler(void **state) {
    struct stop_seen seen;

    (void)state;
    stop_run(&seen, do_raise, NULL);
    assert_report(&seen,
                  "*** STOP: 0x0000001E KMODE_EXCEPTION_NOT_HANDLED (0x00000000C000009A, 0x");
    assert_report(&seen, ", 0x0000000000000000, 0x0000000000000000)\n");
    assert_int_equal(seen.signal, 6);
    assert_report(&seen, "raised at: /");
    assert_report(&seen, "/conform_stops+0x");
}

static void failed_assertion(void **state) {
    struct stop_seen seen;

    (void)state;
    stop_run(&seen, do_assert, NULL);
    assert_report(&seen, "*** Assertion failed: 1 == 2\n***   Source File: file.c, line 7\n");
    assert_int_equal(seen.signal, 6);
}

int main(int argc, char **argv) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(paged_allocation_at_dispatch),
        cmocka_unit_test(any_allocation_above_dispatch),
        cmocka_unit_test(nonpaged_allocation_at_dispatch_is_allowed),
        cmocka_unit_test(must_succeed_pool),
        cmocka_unit_test(types_that_do_not_exist),
        cmocka_unit_test(types_that_look_like_nothing_known),
        cmocka_unit_test(tag_of_zero),
        cmocka_unit_test(tag_big),
        cmocka_unit_test(tag_without_letter_or_digit),
        cmocka_unit_test(paged_free_at_dispatch),
        cmocka_unit_test(nonpaged_free_above_dispatch),
        cmocka_unit_test(wrong_tag),
        cmocka_unit_test(null_and_foreign_addresses),
        cmocka_unit_test(interior_addresses),
        cmocka_unit_test(freed_span),
        cmocka_unit_test(bug_check_reports_its_parameters),
        cmocka_unit_test(raise_without_handler),
        cmocka_unit_test(failed_assertion),
    };
    static const struct CMUnitTest strict_tests[] = {
        cmocka_unit_test(zero_bytes_under_strict),
        cmocka_unit_test(small_lookaside_blocks_under_strict),
        cmocka_unit_test(double_free_under_strict),
        cmocka_unit_test(wrong_tag),
        cmocka_unit_test(interior_addresses),
    };

    static const struct CMUnitTest log_tests[] = {cmocka_unit_test(every_violation_is_logged)};

    if (argc > 1 && strcmp(argv[1], "log") == 0)
        return cmocka_run_group_tests(log_tests, NULL, NULL);
    if (argc > 1 && strcmp(argv[1], "strict") == 0)
        return cmocka_run_group_tests(strict_tests, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
