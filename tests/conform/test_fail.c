/*
 * Each routine's documented failure, as fail= brings it about: run with fail=100% for the tags "Fail" and
 * "None" (calls without one).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <ntifs.h>
#include <pseh/pseh2.h>

#define DBG 1
#include <ntrxdef.h>

#define FAIL 'liaF'
#define PASS 'ssaP'

/* What `call` raises; 0 when it returns, and then it must have returned NULL. */
#define RAISED(call)                                                                               \
    ({                                                                                             \
        volatile NTSTATUS raised = 0;                                                              \
        _SEH2_TRY {                                                                                \
            assert_null(call);                                                                     \
        }                                                                                          \
        _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {                                                  \
            raised = _SEH2_GetExceptionCode();                                                     \
        }                                                                                          \
        _SEH2_END;                                                                                 \
        raised;                                                                                    \
    })

#define RAISE(type) ((POOL_TYPE)((type) | POOL_RAISE_IF_ALLOCATION_FAILURE))

static void by_type(void **state) {
    (void)state;
    assert_null(ExAllocatePoolWithTag(PagedPool, 100, FAIL));
    assert_null(ExAllocatePoolWithTag(NonPagedPoolNxCacheAligned, 100, FAIL));
    assert_null(ExAllocatePoolWithTag(NonPagedPool, 100000, FAIL));
    assert_null(ExAllocatePool(NonPagedPool, 100));
    assert_null(ExAllocatePoolZero(NonPagedPoolNx, 100, FAIL));
    assert_null(ExAllocatePoolUninitialized(NonPagedPoolNx, 100, FAIL));
    assert_int_equal(RAISED(ExAllocatePoolWithTag(RAISE(PagedPool), 100, FAIL)),
                     STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(RAISED(ExAllocatePoolZero(RAISE(PagedPool), 100, FAIL)),
                     STATUS_INSUFFICIENT_RESOURCES);
}

static void by_priority(void **state) {
    (void)state;
    assert_null(ExAllocatePoolWithTagPriority(PagedPool, 100, FAIL, HighPoolPriority));
    assert_null(ExAllocatePoolPriorityZero(PagedPool, 100, FAIL, LowPoolPriority));
    assert_null(ExAllocatePoolPriorityUninitialized(PagedPool, 100, FAIL, NormalPoolPriority));
    assert_int_equal(
        RAISED(ExAllocatePoolWithTagPriority(RAISE(PagedPool), 100, FAIL, LowPoolPriority)),
        STATUS_INSUFFICIENT_RESOURCES);
}

static void with_quota(void **state) {
    const POOL_TYPE silent = (POOL_TYPE)(PagedPool | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE);

    (void)state;
    assert_int_equal(RAISED(ExAllocatePoolWithQuotaTag(PagedPool, 100, FAIL)),
                     STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(RAISED(ExAllocatePoolWithQuota(PagedPool, 100)),
                     STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(RAISED(ExAllocatePoolQuotaZero(PagedPool, 100, FAIL)),
                     STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(RAISED(ExAllocatePoolWithQuotaTag(silent, 100, FAIL)), 0);
    assert_int_equal(RAISED(ExAllocatePoolQuotaUninitialized(silent, 100, FAIL)), 0);
}

static void by_flags(void **state) {
    (void)state;
    assert_null(ExAllocatePool2(POOL_FLAG_PAGED, 100, FAIL));
    assert_null(ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_UNINITIALIZED, 100, FAIL));
    assert_null(ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_USE_QUOTA, 100, FAIL));
    assert_int_equal(
        RAISED(ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_RAISE_ON_FAILURE, 100, FAIL)),
        STATUS_INSUFFICIENT_RESOURCES);
}

static void of_file_systems(void **state) {
    (void)state;
    assert_int_equal(RAISED(FsRtlAllocatePool(PagedPool, 100)), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(RAISED(FsRtlAllocatePoolWithTag(PagedPool, 100, FAIL)),
                     STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(RAISED(FsRtlAllocatePoolWithQuota(PagedPool, 100)),
                     STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(RAISED(FsRtlAllocatePoolWithQuotaTag(PagedPool, 100, FAIL)),
                     STATUS_INSUFFICIENT_RESOURCES);
}

/* A miss may fail; what the list holds may not. */
static void from_lookaside_lists(void **state) {
    static NPAGED_LOOKASIDE_LIST nonpaged;
    static PAGED_LOOKASIDE_LIST paged;
    static LOOKASIDE_LIST_EX general;
    PVOID block = ExAllocatePoolWithTag(PagedPool, 64, PASS);

    (void)state;
    ExInitializeNPagedLookasideList(&nonpaged, NULL, NULL, 0, 64, FAIL, 0);
    assert_null(ExAllocateFromNPagedLookasideList(&nonpaged));
    ExDeleteNPagedLookasideList(&nonpaged);

    ExInitializePagedLookasideList(&paged, NULL, NULL, POOL_RAISE_IF_ALLOCATION_FAILURE, 64, FAIL,
                                   0);
    assert_int_equal(RAISED(ExAllocateFromPagedLookasideList(&paged)),
                     STATUS_INSUFFICIENT_RESOURCES);
    ExFreeToPagedLookasideList(&paged, block);
    assert_ptr_equal(ExAllocateFromPagedLookasideList(&paged), block);
    ExDeletePagedLookasideList(&paged);
    ExFreePool(block);

    ExInitializeLookasideListEx(&general, NULL, NULL, PagedPool,
                                EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL, 64, FAIL, 0);
    assert_int_equal(RAISED(ExAllocateFromLookasideListEx(&general)),
                     STATUS_INSUFFICIENT_RESOURCES);
    ExDeleteLookasideListEx(&general);
    ExInitializeLookasideListEx(&general, NULL, NULL, PagedPool,
                                EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE, 64, FAIL, 0);
    assert_null(ExAllocateFromLookasideListEx(&general));
    ExDeleteLookasideListEx(&general);
}

/* Those that the wrappers make of the pool on the way are not failed, nor is what is freed given back. */
static void of_the_redirector(void **state) {
    PVOID block = RxAllocatePoolWithTag(PagedPool, 100, PASS);
    PVOID others = RxAllocatePoolForOthers(PagedPool, 100, PASS);

    (void)state;
    assert_non_null(block);
    assert_non_null(others);
    RxFreePool(block); /* waits in the quarantine */
    assert_null(RxAllocatePoolWithTag(PagedPool, 100, FAIL));
    assert_null((RxAllocatePoolWithTag)(NonPagedPoolNx, 100, FAIL));
    assert_null(RxAllocatePoolForOthers(PagedPool, 100, FAIL));
    assert_int_equal(RAISED(RxAllocatePoolWithTag(RAISE(PagedPool), 100, FAIL)),
                     STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(RAISED(RxAllocatePoolForOthers(RAISE(PagedPool), 100, FAIL)),
                     STATUS_INSUFFICIENT_RESOURCES);
    assert_null(ExAllocatePoolWithTag(PagedPool, 100, FAIL)); /* the exemption is over */
    ExFreePool(others);
}

static void others_are_served(void **state) {
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        PVOID block = ExAllocatePoolWithTag(PagedPool, 100, PASS);
        assert_non_null(block);
        ExFreePoolWithTag(block, PASS);
    }
}

/* A request that breaks a rule is no allocation that could have been. */
static void rules_come_first(void **state) {
    (void)state;
    assert_int_equal(RAISED(ExAllocatePool2(POOL_FLAG_RAISE_ON_FAILURE, 100, FAIL)),
                     STATUS_INVALID_PARAMETER);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_type),           cmocka_unit_test(by_priority),
        cmocka_unit_test(with_quota),        cmocka_unit_test(by_flags),
        cmocka_unit_test(of_file_systems),   cmocka_unit_test(from_lookaside_lists),
        cmocka_unit_test(of_the_redirector), cmocka_unit_test(others_are_served),
        cmocka_unit_test(rules_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
