/*
 * The Rx names as sources use them: calls, bare names, direct calls of the documented routines, and
 * names taken away with #undef. Compiled as a free build (DBG absent, DBG=0), as a checked build
 * and over Pool2.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ntrxdef.h"
#include <ntifs.h>

#define TAG 0x74736554u /* "Test" */

static PALLOCATE_FUNCTION const allocate_function = RxAllocatePoolWithTag;
static PFREE_FUNCTION const free_function = RxFreePool;

static void calls(void **state) {
    PVOID a = RxAllocatePoolWithTag(PagedPool | POOL_COLD_ALLOCATION, 100, TAG);
    PVOID b = RxAllocatePool(NonPagedPool, 100);

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_true(RxCheckMemoryBlock(a));
    RxFreePoolWithTag(a, TAG);
    RxFreePoolWithTag(b, RX_POOL_DEFAULT_TAG);
    a = RxAllocatePoolWithTag(PagedPool, 100, TAG);
    RxFreePool(a);
}

static void bare_names_are_functions(void **state) {
    PVOID a = allocate_function(PagedPool, 100, TAG);

    (void)state;
    assert_non_null(a);
    free_function(a);
    a = allocate_function(PagedPool, 100, TAG);
    RxFreePool(a); /* both ways of calling are of one kind */
    a = RxAllocatePoolWithTag(PagedPool, 100, TAG);
    free_function(a);
}

static void direct_calls(void **state) {
    char file[] = __FILE__;
    PVOID a = _RxAllocatePoolWithTag(PagedPool, 100, TAG, file, __LINE__);
    int local = 0;

    (void)state;
    assert_non_null(a);
    _RxFreePool(a, file, __LINE__);
    a = _RxAllocatePoolWithTag(PagedPool, 100, TAG, file, __LINE__);
    _RxFreePoolWithTag(a, TAG, file, __LINE__);
    assert_false(_RxCheckMemoryBlock(&local, file, __LINE__));
    assert_false(_RxCheckMemoryBlock(NULL, file, __LINE__));
}

static void blocks_for_others_are_plain(void **state) {
    PVOID a = RxAllocatePoolForOthers(PagedPool, 100, TAG);

    (void)state;
    assert_non_null(a);
    ExFreePoolWithTag(a, TAG);
}

static void signed_memory(void **state) {
    SIZE_T bytes = 100 + RX_POOL_SIGNED_OVERHEAD;
    PVOID memory = ExAllocatePoolWithTag(NonPagedPool, bytes, TAG);
    UCHAR *block = RxSignMemoryBlock(memory, bytes, NonPagedPool, TAG);

    (void)state;
    assert_non_null(block);
    assert_true(block >= (UCHAR *)memory && block + 100 <= (UCHAR *)memory + bytes);
    memset(block, 0xAA, 100);
    assert_true(RxCheckMemoryBlock(block));
    assert_ptr_equal(RxUnsignMemoryBlock(block), memory);
    ExFreePoolWithTag(memory, TAG);
}

/* A free build does not look at what it does not need. */
static void unused_arguments(void **state) {
    int evaluated = 0;

    (void)state;
    (void)evaluated;
#if !RXPOOL_CHECKED
    assert_true(RxCheckMemoryBlock((PVOID)(ULONG_PTR)++evaluated));
    _RxFreePool(ExAllocatePool(PagedPool, 8), evaluated++, evaluated++);
    assert_int_equal(evaluated, 0);
    assert_int_equal(RxCheckAllMemoryBlocks(), 0);
    assert_false(RxPoolConfigure((PCSZ)(ULONG_PTR)++evaluated));
    assert_int_equal(RxPoolReadReports(NULL, (SIZE_T)++evaluated, NULL), 0);
    assert_int_equal(RxPoolUnload(), 0);
    assert_int_equal(RxPoolScan(), 0);
    assert_int_equal(RxPoolMark(), 0);
    assert_int_equal(RxPoolLeaksSince((ULONG)++evaluated), 0);
    assert_int_equal(evaluated, 0);
#else
    ULONG dropped = 1;
    assert_false(RxPoolConfigure("on_error=log")); /* options are the user's */
    assert_int_equal(RxPoolReadReports(&dropped, sizeof(dropped), &dropped), 0);
    assert_int_equal(dropped, 0);
    assert_int_equal(RxPoolMark(), 1);
    assert_int_equal(RxCheckAllMemoryBlocks(), 0);
#endif
}

/* Real drivers do this, and include the header once more by another way. */
#undef RxAllocatePoolWithTag
#define RxAllocatePoolWithTag(type, size, tag) ExAllocatePool2(POOL_FLAG_PAGED, (size), (tag))
#undef RxFreePool
#define RxFreePool(ptr) ExFreePool(ptr)
#include "ntrxdef.h"

static void names_may_be_redefined(void **state) {
    UCHAR *a = RxAllocatePoolWithTag(PagedPool, 4096, TAG);

    (void)state;
    assert_non_null(a);
    assert_int_equal((ULONG_PTR)a % PAGE_SIZE, 0);
    assert_int_equal(a[0] | a[4095], 0);
    RxFreePool(a);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls),
        cmocka_unit_test(bare_names_are_functions),
        cmocka_unit_test(direct_calls),
        cmocka_unit_test(blocks_for_others_are_plain),
        cmocka_unit_test(signed_memory),
        cmocka_unit_test(unused_arguments),
        cmocka_unit_test(names_may_be_redefined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
