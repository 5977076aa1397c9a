/*
 * malloc and operator new as fail= fails them: run with fail=100% for sizes from 20000 to 90000, with
 * and without checked=1.
 */
#include <cerrno>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <new>

extern "C" {
#include <cmocka.h>
}

namespace {

const std::size_t failing[] = {20000, 45000, 90000};
const std::size_t passing[] = {1, 19000, 100000};

void refused(void *block) {
    assert_null(block);
    assert_int_equal(errno, ENOMEM);
    errno = 0;
}

void routines_of_c_answer_null(void **) {
    errno = 0;
    for (std::size_t size : failing) {
        void *block = &size;
        refused(std::malloc(size));
        refused(std::calloc(1, size));
        refused(std::realloc(nullptr, size));
        refused(::reallocarray(nullptr, size / 10, 10));
        refused(::aligned_alloc(64, size));
        refused(::memalign(4096, size));
        refused(::valloc(size));
        assert_int_equal(::posix_memalign(&block, 64, size), ENOMEM);
        assert_ptr_equal(block, &size);
        assert_int_equal(errno, 0);
    }
    refused(::pvalloc(45000));
}

void a_block_outlives_a_failed_realloc(void **) {
    auto *block = static_cast<char *>(std::malloc(100));
    assert_non_null(block);
    std::memset(block, 'x', 100);
    errno = 0;
    for (std::size_t size : failing) {
        refused(std::realloc(block, size));
        for (unsigned i = 0; i < 100; i++)
            assert_int_equal(block[i], 'x');
    }
    std::free(block);
}

/* One that could grow where it is. */
void a_large_block_does_not_grow(void **) {
    void *block = std::malloc(100000), *least = std::malloc(19000);
    assert_non_null(block);
    assert_null(std::realloc(least, 32000));
    void *larger = std::realloc(block, 200000);
    assert_non_null(larger);
    std::free(larger);
    std::free(least);
}

void others_are_served(void **) {
    for (std::size_t size : passing) {
        errno = 7;
        void *block = std::malloc(size);
        assert_non_null(block);
        assert_int_equal(errno, 7);
        std::free(block);
        delete new char;
        errno = 0;
    }
}

template <typename F> bool throws(F allocate) {
    try {
        assert_null(allocate());
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

void operators_throw(void **) {
    for (std::size_t size : failing) {
        assert_true(throws([=] { return ::operator new(size); }));
        assert_true(throws([=] { return ::operator new[](size); }));
        assert_true(throws([=] { return ::operator new (size, std::align_val_t{64}); }));
        assert_true(throws([=] { return ::operator new[](size, std::align_val_t{64}); }));
        assert_false(throws([=] { return ::operator new(size, std::nothrow); }));
        assert_false(throws([=] { return ::operator new[](size, std::nothrow); }));
        assert_false(
            throws([=] { return ::operator new (size, std::align_val_t{64}, std::nothrow); }));
    }
}

unsigned handled;

void handler() {
    if (++handled == 3)
        std::set_new_handler(nullptr);
}

void the_handler_is_asked(void **) {
    handled = 0;
    std::set_new_handler(handler);
    assert_true(throws([] { return ::operator new(45000); }));
    assert_int_equal(handled, 3);
}

} // namespace

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routines_of_c_answer_null),
        cmocka_unit_test(a_block_outlives_a_failed_realloc),
        cmocka_unit_test(a_large_block_does_not_grow),
        cmocka_unit_test(others_are_served),
        cmocka_unit_test(operators_throw),
        cmocka_unit_test(the_handler_is_asked),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
