/* What the allocation calls promise when nothing is wrong, and how they fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <ntifs.h>
#include <pseh/pseh2.h>

#define TAG 0x74736554u /* "Test" */
#define TOO_LARGE ((SIZE_T)-4096)

static void assert_page_rule(PVOID block, SIZE_T size) {
    uintptr_t start = (uintptr_t)block;

    assert_non_null(block);
    if (size >= PAGE_SIZE)
        assert_int_equal(start % PAGE_SIZE, 0);
    else if (size != 0)
        assert_int_equal(start / PAGE_SIZE, (start + size - 1) / PAGE_SIZE);
    assert_int_equal(start % 16, 0);
}

static void page_rule_for_every_size(void **state) {
    (void)state;
    for (SIZE_T size = 0; size <= 65536; size++) {
        PVOID paged = ExAllocatePoolWithTag(PagedPool, size, TAG);
        PVOID nonpaged =
            ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_UNINITIALIZED, size + 1, TAG);

        assert_page_rule(paged, size);
        assert_page_rule(nonpaged, size + 1);
        memset(paged, 0xA5, size);
        memset(nonpaged, 0x5A, size + 1);
        ExFreePoolWithTag(paged, TAG);
        ExFreePoolWithTag(nonpaged, TAG);
    }
}

static void types_and_modifiers(void **state) {
    static const ULONG types[] = {NonPagedPool,
                                  PagedPool,
                                  NonPagedPoolCacheAligned,
                                  PagedPoolCacheAligned,
                                  NonPagedPoolNx,
                                  NonPagedPoolNxCacheAligned,
                                  NonPagedPoolSession,
                                  PagedPoolSession,
                                  NonPagedPoolSessionNx,
                                  NonPagedPoolCacheAlignedSession,
                                  PagedPoolCacheAlignedSession};
    static const ULONG modifiers[] = {0,
                                      POOL_COLD_ALLOCATION,
                                      POOL_QUOTA_FAIL_INSTEAD_OF_RAISE,
                                      POOL_RAISE_IF_ALLOCATION_FAILURE,
                                      POOL_ZERO_ALLOCATION,
                                      POOL_NX_ALLOCATION};

    (void)state;
    for (size_t t = 0; t < RTL_NUMBER_OF(types); t++) {
        for (size_t m = 0; m < RTL_NUMBER_OF(modifiers); m++) {
            ULONG type = types[t] | modifiers[m];
            PVOID block = ExAllocatePoolWithTag((POOL_TYPE)type, 40, TAG);

            assert_page_rule(block, 40);
            if (type & 4)
                assert_int_equal((uintptr_t)block % SYSTEM_CACHE_ALIGNMENT_SIZE, 0);
            memset(block, 1, 40);
            ExFreePoolWithTag(block, TAG);
        }
    }
}

static void assert_zero(PVOID block, SIZE_T size) {
    assert_non_null(block);
    for (SIZE_T i = 0; i < size; i++)
        assert_int_equal(((UCHAR *)block)[i], 0);
}

/* Each size is soiled first, so that a zeroed block cannot be zero by chance. */
static void soil(POOL_TYPE type, SIZE_T size) {
    PVOID blocks[8];

    for (size_t i = 0; i < RTL_NUMBER_OF(blocks); i++) {
        blocks[i] = ExAllocatePoolWithTag(type, size, TAG);
        assert_non_null(blocks[i]);
        memset(blocks[i], 0xCC, size);
    }
    for (size_t i = 0; i < RTL_NUMBER_OF(blocks); i++)
        ExFreePool(blocks[i]);
}

static void zeroed_forms(void **state) {
    static const SIZE_T sizes[] = {1, 24, 300, 4095, 4096, 20000, 70000};
    PVOID b;

    (void)state;
    for (size_t i = 0; i < RTL_NUMBER_OF(sizes); i++) {
        SIZE_T size = sizes[i];

        soil(PagedPool, size);
        assert_zero(b = ExAllocatePoolZero(PagedPool, size, TAG), size);
        memset(b, 0xCC, size);
        ExFreePool(b);
        assert_zero(b = ExAllocatePool2(POOL_FLAG_PAGED, size, TAG), size);
        memset(b, 0xCC, size);
        ExFreePool(b);
        assert_zero(
            b = ExAllocatePoolWithTag((POOL_TYPE)(PagedPool | POOL_ZERO_ALLOCATION), size, TAG),
            size);
        memset(b, 0xCC, size);
        ExFreePool(b);
        assert_zero(b = ExAllocatePoolPriorityZero(PagedPool, size, TAG, LowPoolPriority), size);
        memset(b, 0xCC, size);
        ExFreePool(b);
        assert_zero(b = ExAllocatePoolQuotaZero(PagedPool, size, TAG), size);
        ExFreePool(b);
    }
}

/* A tag in use for long, by every call in turn: the ones that promise zeroes keep the promise. */
static void zeroed_forms_of_a_warm_tag(void **state) {
    const POOL_TYPE zero = (POOL_TYPE)(PagedPool | POOL_ZERO_ALLOCATION);

    (void)state;
    for (int i = 0; i < 5000; i++) {
        PVOID b[6];

        b[0] = ExAllocatePoolWithTag(PagedPool, 200, TAG);
        b[1] = ExAllocatePoolWithTag(zero, 200, TAG);
        b[2] = ExAllocatePoolZero(PagedPool, 200, TAG);
        b[3] = ExAllocatePool2(POOL_FLAG_PAGED, 200, TAG);
        b[4] = ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED, 200, TAG);
        b[5] = ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_USE_QUOTA, 200, TAG);
        for (int j = 0; j < 6; j++) {
            BOOLEAN charged;

            if (j != 0 && j != 4)
                assert_zero(b[j], 200);
            ExQueryPoolBlockSize(b[j], &charged);
            assert_int_equal(charged, j == 5);
            memset(b[j], 0xCC, 200);
            ExFreePoolWithTag(b[j], TAG);
        }
    }
}

/*
 * A block that was soiled and freed comes back as it was: the calls do no work that was not asked
 * for.
 */
static void uninitialized_forms(void **state) {
    UCHAR *b;

    (void)state;
    soil(PagedPool, 512);
    b = ExAllocatePoolUninitialized((POOL_TYPE)(PagedPool | POOL_ZERO_ALLOCATION), 512, TAG);
    assert_int_equal(b[511], 0xCC);
    ExFreePool(b);
    b = ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED, 512, TAG);
    assert_int_equal(b[511], 0xCC);
    ExFreePool(b);
    b = ExAllocatePoolPriorityUninitialized(PagedPool, 512, TAG, HighPoolPriority);
    assert_int_equal(b[511], 0xCC);
    ExFreePool(b);
}

static void flags_that_fail(void **state) {
    static const POOL_FLAGS bad[] = {0,
                                     POOL_FLAG_UNINITIALIZED,
                                     POOL_FLAG_PAGED | POOL_FLAG_NON_PAGED,
                                     POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE,
                                     POOL_FLAG_PAGED | POOL_FLAG_RESERVED1,
                                     POOL_FLAG_PAGED | POOL_FLAG_RESERVED2,
                                     POOL_FLAG_PAGED | POOL_FLAG_RESERVED3,
                                     POOL_FLAG_PAGED | 0x800,
                                     POOL_FLAG_PAGED | 0x80000000};
    PVOID b;

    (void)state;
    for (size_t i = 0; i < RTL_NUMBER_OF(bad); i++)
        assert_null(ExAllocatePool2(bad[i], 24, TAG));
    assert_null(ExAllocatePool2(POOL_FLAG_PAGED, 24, 0));
    assert_null(ExAllocatePool2(POOL_FLAG_PAGED, 0, TAG));
    b = ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED, 24, TAG);
    ExFreePool(b);
    assert_null(ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED, 0, TAG));
}

static void optional_flags_are_ignored(void **state) {
    POOL_FLAGS flags = POOL_FLAG_PAGED | POOL_FLAG_SPECIAL_POOL | 0x4000000000000000ULL;
    PVOID b = ExAllocatePool2(flags, 24, TAG);

    (void)state;
    assert_zero(b, 24);
    ExFreePoolWithTag(b, TAG);
}

static void failure_answers_null(void **state) {
    static const SIZE_T sizes[] = {TOO_LARGE, (SIZE_T)-1, (SIZE_T)-16, (SIZE_T)1 << 62,
                                   (SIZE_T)1 << 47};

    (void)state;
    for (size_t i = 0; i < RTL_NUMBER_OF(sizes); i++) {
        assert_null(ExAllocatePoolWithTag(PagedPool, sizes[i], TAG));
        assert_null(ExAllocatePool(NonPagedPool, sizes[i]));
        assert_null(ExAllocatePoolZero(NonPagedPool, sizes[i], TAG));
        assert_null(ExAllocatePool2(POOL_FLAG_PAGED, sizes[i], TAG));
        assert_null(ExAllocatePoolWithTag(PagedPoolCacheAligned, sizes[i], TAG));
        assert_null(ExAllocatePoolWithTagPriority(PagedPool, sizes[i], TAG, HighPoolPriority));
        assert_null(ExAllocatePoolWithQuotaTag(
            (POOL_TYPE)(PagedPool | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE), sizes[i], TAG));
    }
}

/* Calls `allocation` and answers what it raised; 0 when it raised nothing. */
#define RAISED(allocation)                                                                         \
    __extension__({                                                                                \
        volatile NTSTATUS raised = 0;                                                              \
        _SEH2_TRY {                                                                                \
            allocation;                                                                            \
        }                                                                                          \
        _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {                                                  \
            raised = _SEH2_GetExceptionCode();                                                     \
        }                                                                                          \
        _SEH2_END;                                                                                 \
        (NTSTATUS) raised;                                                                         \
    })

static void failure_raises_where_asked(void **state) {
    const ULONG raise = POOL_RAISE_IF_ALLOCATION_FAILURE;

    (void)state;
    assert_int_equal(RAISED(ExAllocatePoolWithTag((POOL_TYPE)(PagedPool | raise), TOO_LARGE, TAG)),
                     STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(
        RAISED(ExAllocatePoolWithTagPriority((POOL_TYPE)raise, TOO_LARGE, TAG, LowPoolPriority)),
        STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(RAISED(ExAllocatePoolWithQuotaTag(PagedPool, TOO_LARGE, TAG)),
                     STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(RAISED(ExAllocatePoolWithQuota(PagedPool, TOO_LARGE)),
                     STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(
        RAISED(ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_RAISE_ON_FAILURE, TOO_LARGE, TAG)),
        STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(RAISED(ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_RAISE_ON_FAILURE, 0, TAG)),
                     STATUS_INVALID_PARAMETER);
    assert_int_equal(RAISED(ExAllocatePool2(POOL_FLAG_RAISE_ON_FAILURE, 8, TAG)),
                     STATUS_INVALID_PARAMETER);
}

static void fsrtl_forms(void **state) {
    PVOID blocks[4];

    (void)state;
    blocks[0] = FsRtlAllocatePool(PagedPool, 100);
    blocks[1] = FsRtlAllocatePoolWithTag(NonPagedPool, 5000, TAG);
    blocks[2] = FsRtlAllocatePoolWithQuota(PagedPool, 100);
    blocks[3] = FsRtlAllocatePoolWithQuotaTag(PagedPool, 100, TAG);
    for (size_t i = 0; i < RTL_NUMBER_OF(blocks); i++) {
        assert_non_null(blocks[i]);
        ExFreePool(blocks[i]);
    }
}

static void tags_of_one_to_four_characters(void **state) {
    static const ULONG tags[] = {0x61,       0x6261,     0x636261,  0x64636261,
                                 0x7E202030, 0x20202041, 0x7E7E7E5A};

    (void)state;
    for (size_t i = 0; i < RTL_NUMBER_OF(tags); i++) {
        PVOID b = ExAllocatePoolWithTag(PagedPool, 24, tags[i]);

        assert_non_null(b);
        ExFreePoolWithTag(b, tags[i]);
    }
}

static void protected_tags(void **state) {
    PVOID b = ExAllocatePoolWithTag(PagedPool, 24, TAG | PROTECTED_POOL);

    (void)state;
    ExFreePoolWithTag(b, TAG | PROTECTED_POOL);
    b = ExAllocatePoolWithTag(PagedPool, 24, TAG | PROTECTED_POOL);
    ExFreePoolWithTag(b, TAG);
}

static void frees_that_fit(void **state) {
    (void)state;
    ExFreePoolWithTag(ExAllocatePoolWithTag(PagedPool, 24, TAG), 0);
    ExFreePoolWithTag(ExAllocatePool(PagedPool, 24), 0x656E6F4E); /* "None" */
    ExFreePool(ExAllocatePoolWithTag(NonPagedPool, 0, TAG));
}

static void block_sizes(void **state) {
    static const SIZE_T sizes[] = {1, 16, 17, 1000, 4096, 4097, 40000, 1000000};
    BOOLEAN charged;
    int local;

    (void)state;
    for (size_t i = 0; i < RTL_NUMBER_OF(sizes); i++) {
        PVOID plain = ExAllocatePoolWithTag(PagedPool, sizes[i], TAG);
        PVOID quota = ExAllocatePoolWithQuotaTag(PagedPool, sizes[i], TAG);
        SIZE_T size = ExQueryPoolBlockSize(plain, &charged);

        assert_false(charged);
        assert_true(size >= sizes[i]);
        if (sizes[i] >= PAGE_SIZE)
            assert_int_equal(size, ROUND_TO_PAGES(sizes[i]));
        assert_int_equal(ExQueryPoolBlockSize(quota, &charged), size);
        assert_true(charged);
        ExFreePoolWithTag(plain, TAG);
        ExFreePoolWithTag(quota, TAG);
    }
    charged = TRUE;
    assert_int_equal(ExQueryPoolBlockSize(&local, &charged), 0);
    assert_false(charged);
}

/* Under RXPOOL_OPTIONS=limit=64M: each priority leaves more of the limit alone than the next. */
static SIZE_T fill(EX_POOL_PRIORITY priority) {
    static PVOID blocks[256];
    SIZE_T count = 0;

    while (count < RTL_NUMBER_OF(blocks) && (blocks[count] = ExAllocatePoolWithTagPriority(
                                                 PagedPool, 1048576, TAG, priority)) != NULL)
        count++;
    for (SIZE_T i = 0; i < count; i++)
        ExFreePool(blocks[i]);
    return count;
}

static void priorities_under_a_limit(void **state) {
    SIZE_T low = fill(LowPoolPriority), normal = fill(NormalPoolPriority),
           high = fill(HighPoolPriority);

    (void)state;
    assert_true(high <= 64);
    assert_true(low > 0 && low < normal && normal < high);
}

int main(int argc, char **argv) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_rule_for_every_size),
        cmocka_unit_test(types_and_modifiers),
        cmocka_unit_test(zeroed_forms),
        cmocka_unit_test(zeroed_forms_of_a_warm_tag),
        cmocka_unit_test(uninitialized_forms),
        cmocka_unit_test(flags_that_fail),
        cmocka_unit_test(optional_flags_are_ignored),
        cmocka_unit_test(failure_answers_null),
        cmocka_unit_test(failure_raises_where_asked),
        cmocka_unit_test(fsrtl_forms),
        cmocka_unit_test(tags_of_one_to_four_characters),
        cmocka_unit_test(protected_tags),
        cmocka_unit_test(frees_that_fit),
        cmocka_unit_test(block_sizes),
    };
    static const struct CMUnitTest limit_tests[] = {cmocka_unit_test(priorities_under_a_limit)};

    if (argc > 1 && strcmp(argv[1], "limit") == 0)
        return cmocka_run_group_tests(limit_tests, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
