/*
 * The layout of checked blocks, for every size from 1 byte to 64 KiB and some beyond: the page rule,
 * alignment, and that one byte too many at either end is seen. Over the library's own pool, and over
 * placements such as a pool gives that aligns to 16 bytes only.
 */
#include "unit.h"

#define RXPOOL_CHECKED 1
#include <ntifs.h>
#include <ntrxdef.h>

#include "check/block.h"

#define SIZES 65536u
#define TAG 0x74736554u

static void rules_hold(uintptr_t p, size_t size, size_t alignment) {
    assert_int_equal(p % alignment, 0);
    if (size >= PAGE_SIZE)
        assert_int_equal(p % PAGE_SIZE, 0);
    else
        assert_int_equal(p / PAGE_SIZE, (p + size - 1) / PAGE_SIZE);
}

/* Changes one byte, expects the check to see it, and puts it back. */
static void noticed(unsigned char *byte, const struct record_info *info) {
    struct damage d;
    unsigned char old = *byte;
    *byte ^= 0x41;
    block_check_live(info, RX_POOL_STATE_ALLOCATED, &d);
    assert_int_not_equal(d.kind, DAMAGE_NONE);
    *byte = old;
}

/* The same by the call that drivers have, which reports it: a hundred times the work. */
static void seen(unsigned char *byte, const unsigned char *block) {
    unsigned char old = *byte;
    *byte ^= 0x41;
    assert_int_equal(_RxCheckMemoryBlock((PVOID)(uintptr_t)block, NULL, 0), FALSE);
    *byte = old;
}

/* Small, or with an end at a page's: where what a report shows of the surroundings is cut. */
static bool worth_a_report(size_t size) {
    size_t behind = size % PAGE_SIZE, missing = PAGE_SIZE - behind;
    size_t off = behind < missing ? behind : missing;
    return size <= 64 || (off < 16 && (off < 3 || off % 5 == 0));
}

static void one_block(POOL_TYPE type, ULONG size, size_t alignment) {
    unsigned char *p = _RxAllocatePoolWithTag((ULONG)type, size, TAG, (PSZ)__FILE__, __LINE__);
    assert_non_null(p);
    rules_hold((uintptr_t)p, size, alignment);
    const RX_POOL_HEADER *h = (const RX_POOL_HEADER *)(const void *)p - 1;
    assert_int_equal(h->Tag, TAG);
    assert_int_equal(h->Size, size);
    assert_int_equal(*(const ULONG *)(const void *)(p - h->Back), TAG);
    memset(p, 0xA5, size);
    struct record_info info;
    struct damage d;
    assert_true(registry_find((uintptr_t)p, &info));
    block_check_live(&info, RX_POOL_STATE_ALLOCATED, &d);
    assert_int_equal(d.kind, DAMAGE_NONE);
    /* The call reads the block by the system, which takes Wine a third of a millisecond. */
    if (size <= 1024 || worth_a_report(size))
        assert_int_equal(_RxCheckMemoryBlock(p, NULL, 0), TRUE);
    noticed(p - 1, &info);
    noticed(p + size, &info);
    noticed(p - h->Back, &info);
    if (worth_a_report(size)) {
        seen(p - 1, p);
        seen(p + size, p);
        seen(p - h->Back, p);
    }
    _RxFreePool(p, (PSZ)__FILE__, __LINE__);
}

static void every_size(void **state) {
    (void)state;
    for (ULONG size = 1; size <= SIZES; size += size < 2 * PAGE_SIZE ? 1 : IF_TSAN(31, 1))
        one_block(size & 1 ? PagedPool : NonPagedPoolNx, size, 16);
    for (ULONG size = 100000; size < 8u << 20; size = size * 3 + 1)
        one_block(PagedPool, size, 16);
}

static void cache_aligned_types(void **state) {
    (void)state;
    for (ULONG size = 1; size <= 3 * PAGE_SIZE; size++)
        one_block(size & 1 ? PagedPoolCacheAligned : NonPagedPoolCacheAligned, size, 64);
}

/* Whatever 16-byte aligned address the pool answers, a request that is not exact has room for the block. */
static void any_alignment_of_the_pool_will_do(void **state) {
    (void)state;
    for (size_t alignment = 16; alignment <= 64; alignment *= 4) {
        for (size_t size = 1; size <= SIZES; size += size < 3 * PAGE_SIZE ? IF_TSAN(7, 1) : 509) {
            size_t request = block_request(size, alignment, false);
            for (uintptr_t start = 0x10000; start < 0x10000 + 2 * PAGE_SIZE; start += 16 * 37) {
                uintptr_t p = block_place(start, request, size, alignment);
                assert_true(p >= start + BLOCK_HEADER);
                assert_true(p + size < start + request);
                rules_hold(p, size, alignment);
            }
        }
    }
}

/* And where the pool keeps the rules, the exact request does: here for memory that only just does. */
static void exact_requests_fit_an_aligned_pool(void **state) {
    (void)state;
    for (size_t alignment = 16; alignment <= 64; alignment *= 4) {
        for (size_t size = 1; size <= SIZES; size += IF_TSAN(7, 1)) {
            size_t request = block_request(size, alignment, true);
            uintptr_t start = request >= PAGE_SIZE ? 0x20000 : 0x20000 + PAGE_SIZE - request;
            start &= ~(uintptr_t)(alignment - 1);
            uintptr_t p = block_place(start, request, size, alignment);
            assert_true(p != 0 && p + size < start + request);
            rules_hold(p, size, alignment);
        }
    }
}

static void signed_memory(void **state) {
    (void)state;
    static unsigned char memory[4096] __attribute__((aligned(16)));
    assert_null(_RxSignMemoryBlock(memory + 8, 1024, NonPagedPool, TAG, NULL, 0));
    assert_null(_RxSignMemoryBlock(memory, RX_POOL_SIGNED_OVERHEAD, NonPagedPool, TAG, NULL, 0));
    assert_null(_RxSignMemoryBlock(NULL, 1024, NonPagedPool, TAG, NULL, 0));
    unsigned char *p = _RxSignMemoryBlock(memory, sizeof memory, NonPagedPool, TAG, NULL, 0);
    assert_non_null(p);
    assert_true(p >= memory &&
                p + sizeof memory - RX_POOL_SIGNED_OVERHEAD <= memory + sizeof memory);
    memset(p, 1, sizeof memory - RX_POOL_SIGNED_OVERHEAD);
    assert_int_equal(_RxCheckMemoryBlock(p, NULL, 0), TRUE);
    seen(p - 1, p);
    seen(p + sizeof memory - RX_POOL_SIGNED_OVERHEAD, p);
    assert_ptr_equal(_RxUnsignMemoryBlock(p, NULL, 0), memory);
    assert_int_equal(_RxCheckMemoryBlock(p, NULL, 0), FALSE);
}

static void any_pointer_is_answered(void **state) {
    (void)state;
    int local;
    unsigned char *p = _RxAllocatePoolWithTag(PagedPool, 100, TAG, NULL, 0);
    PVOID plain = ExAllocatePoolWithTag(PagedPool, 100, TAG);
    PVOID others = _RxAllocatePoolForOthers(PagedPool, 100, TAG, NULL, 0);
    PVOID bad[] = {
        NULL,  (PVOID)1, (PVOID)0x1234567890, (PVOID)UINTPTR_MAX, &local, bad, p + 16, p - 32,
        plain, others};
    for (size_t i = 0; i < RXP_COUNT(bad); i++)
        assert_int_equal(_RxCheckMemoryBlock(bad[i], NULL, 0), FALSE);
    assert_int_equal(_RxCheckMemoryBlock(p, NULL, 0), TRUE);
    _RxFreePool(p, NULL, 0);
    assert_int_equal(_RxCheckMemoryBlock(p, NULL, 0), FALSE);
    ExFreePool(plain);
    ExFreePool(others);
}

static void zero_allocation_is_zero(void **state) {
    (void)state;
    unsigned char *p = _RxAllocatePoolWithTag(PagedPool | POOL_ZERO_ALLOCATION, 5000, TAG, NULL, 0);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(p[i], 0);
    _RxFreePool(p, NULL, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size),
        cmocka_unit_test(cache_aligned_types),
        cmocka_unit_test(any_alignment_of_the_pool_will_do),
        cmocka_unit_test(exact_requests_fit_an_aligned_pool),
        cmocka_unit_test(signed_memory),
        cmocka_unit_test(any_pointer_is_answered),
        cmocka_unit_test(zero_allocation_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
