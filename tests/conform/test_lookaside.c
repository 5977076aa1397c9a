/* The three kinds of lookaside list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <ntifs.h>
#include <pseh/pseh2.h>

#define TAG 0x6B6F6F4Cu /* "Look" */

static ULONG allocated, freed;
static PLOOKASIDE_LIST_EX list_seen;

static PVOID NTAPI count_allocate(POOL_TYPE type, SIZE_T size, ULONG tag) {
    allocated++;
    return ExAllocatePoolWithTag(type, size, tag);
}

static VOID NTAPI count_free(PVOID block) {
    freed++;
    ExFreePoolWithTag(block, TAG);
}

static PVOID NTAPI count_allocate_ex(POOL_TYPE type, SIZE_T size, ULONG tag,
                                     PLOOKASIDE_LIST_EX list) {
    list_seen = list;
    return count_allocate(type, size, tag);
}

static VOID NTAPI count_free_ex(PVOID block, PLOOKASIDE_LIST_EX list) {
    list_seen = list;
    count_free(block);
}

static int reset(void **state) {
    (void)state;
    allocated = freed = 0;
    list_seen = NULL;
    return 0;
}

static void nonpaged_keeps_and_gives_back(void **state) {
    NPAGED_LOOKASIDE_LIST list;
    PVOID a, b;

    (void)state;
    ExInitializeNPagedLookasideList(&list, count_allocate, count_free, 0, 100, TAG, 0);
    assert_int_equal(list.L.Type, NonPagedPool);
    assert_int_equal(list.L.Size, 100);
    assert_int_equal(list.L.Tag, TAG);
    a = ExAllocateFromNPagedLookasideList(&list);
    assert_non_null(a);
    ExFreeToNPagedLookasideList(&list, a);
    b = ExAllocateFromNPagedLookasideList(&list);
    assert_ptr_equal(a, b);
    assert_int_equal(allocated, 1);
    assert_int_equal(freed, 0);
    ExFreeToNPagedLookasideList(&list, b);
    assert_int_equal(list.L.TotalAllocates, 2);
    assert_int_equal(list.L.AllocateMisses, 1);
    assert_int_equal(list.L.TotalFrees, 2);
    assert_int_equal(list.L.FreeMisses, 0);
    ExDeleteNPagedLookasideList(&list);
    assert_int_equal(freed, 1);
}

/*
 * More blocks than a list keeps: the rest go to Free at once, and deletion frees exactly the
 * others.
 */
static void a_full_list_frees(void **state) {
    enum { COUNT = 1000 };
    static PVOID blocks[COUNT];
    PAGED_LOOKASIDE_LIST list;

    (void)state;
    ExInitializePagedLookasideList(&list, count_allocate, count_free, 0, 32, TAG, 1024);
    assert_int_equal(list.L.Type, PagedPool);
    for (size_t i = 0; i < COUNT; i++)
        assert_non_null(blocks[i] = ExAllocateFromPagedLookasideList(&list));
    for (size_t i = 0; i < COUNT; i++)
        ExFreeToPagedLookasideList(&list, blocks[i]);
    assert_int_equal(list.L.FreeMisses, COUNT - ExQueryDepthSList(&list.L.ListHead));
    assert_int_equal(freed, list.L.FreeMisses);
    assert_true(freed > 0 && freed < COUNT);
    ExDeletePagedLookasideList(&list);
    assert_int_equal(allocated, COUNT);
    assert_int_equal(freed, COUNT);
}

static void defaults_are_the_pool(void **state) {
    NPAGED_LOOKASIDE_LIST list;
    BOOLEAN charged;
    PVOID block;

    (void)state;
    ExInitializeNPagedLookasideList(&list, NULL, NULL, 0, 1, TAG, 0);
    assert_int_equal(list.L.Size, LOOKASIDE_MINIMUM_BLOCK_SIZE);
    block = ExAllocateFromNPagedLookasideList(&list);
    assert_true(ExQueryPoolBlockSize(block, &charged) >= LOOKASIDE_MINIMUM_BLOCK_SIZE);
    ExFreePoolWithTag(block, TAG); /* a block of the pool under the list's tag */
    ExDeleteNPagedLookasideList(&list);
}

static void general_kind(void **state) {
    LOOKASIDE_LIST_EX list;
    PVOID a;

    (void)state;
    assert_int_equal(ExInitializeLookasideListEx(&list, count_allocate_ex, count_free_ex, PagedPool,
                                                 0, 64, TAG, 0),
                     STATUS_SUCCESS);
    a = ExAllocateFromLookasideListEx(&list);
    assert_ptr_equal(list_seen, &list);
    ExFreeToLookasideListEx(&list, a);
    ExFlushLookasideListEx(&list);
    assert_int_equal(freed, 1);
    a = ExAllocateFromLookasideListEx(&list);
    assert_int_equal(allocated, 2);
    ExFreeToLookasideListEx(&list, a);
    ExDeleteLookasideListEx(&list);
    assert_int_equal(freed, 2);
}

static void general_kind_with_defaults(void **state) {
    LOOKASIDE_LIST_EX list;
    PVOID a;

    (void)state;
    assert_int_equal(ExInitializeLookasideListEx(&list, NULL, NULL, NonPagedPoolNx, 0, 64, TAG, 0),
                     STATUS_SUCCESS);
    a = ExAllocateFromLookasideListEx(&list);
    assert_non_null(a);
    ExFreeToLookasideListEx(&list, a);
    ExDeleteLookasideListEx(&list);
}

static void general_kind_refuses(void **state) {
    LOOKASIDE_LIST_EX list;

    (void)state;
    assert_int_equal(ExInitializeLookasideListEx(&list, NULL, NULL, DontUseThisType, 0, 64, TAG, 0),
                     STATUS_INVALID_PARAMETER_4);
    assert_int_equal(
        ExInitializeLookasideListEx(&list, NULL, NULL, (POOL_TYPE)0x4000, 0, 64, TAG, 0),
        STATUS_INVALID_PARAMETER_4);
    assert_int_equal(ExInitializeLookasideListEx(&list, NULL, NULL, PagedPool, 3, 64, TAG, 0),
                     STATUS_INVALID_PARAMETER_5);
    assert_int_equal(ExInitializeLookasideListEx(&list, NULL, NULL, PagedPool, 4, 64, TAG, 0),
                     STATUS_INVALID_PARAMETER_5);
}

static void raise_on_failure(void **state) {
    LOOKASIDE_LIST_EX list;
    volatile NTSTATUS raised = 0;

    (void)state;
    ExInitializeLookasideListEx(&list, NULL, NULL, PagedPool,
                                EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL, 64, TAG, 0);
    assert_true(list.L.Type & POOL_RAISE_IF_ALLOCATION_FAILURE);
    _SEH2_TRY {
        list.L.AllocateEx(list.L.Type, (SIZE_T)1 << 60, list.L.Tag, &list);
    }
    _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        raised = _SEH2_GetExceptionCode();
    }
    _SEH2_END;
    assert_int_equal(raised, STATUS_INSUFFICIENT_RESOURCES);
    ExDeleteLookasideListEx(&list);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nonpaged_keeps_and_gives_back, reset),
        cmocka_unit_test_setup(a_full_list_frees, reset),
        cmocka_unit_test_setup(defaults_are_the_pool, reset),
        cmocka_unit_test_setup(general_kind, reset),
        cmocka_unit_test_setup(general_kind_with_defaults, reset),
        cmocka_unit_test_setup(general_kind_refuses, reset),
        cmocka_unit_test_setup(raise_on_failure, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
