// What the C++ standard promises of operator new and delete in every form, asked of the drop-in.
#include <dlfcn.h>
#include <malloc.h>
#include <setjmp.h>

#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

extern "C" {
#include <cmocka.h>
}

namespace {

// Not a constant to the compiler, which may leave out a new-expression but not these direct calls.
volatile std::size_t too_much = PTRDIFF_MAX - 4096;

int handler_calls;

void handler_that_gives_up() {
    if (++handler_calls == 3)
        std::set_new_handler(nullptr);
}

void handler_that_throws_bad_alloc() {
    handler_calls++;
    throw std::bad_alloc();
}

struct other_error {};

void handler_that_throws_its_own() {
    handler_calls++;
    throw other_error();
}

// A handler that finds memory, as the standard means it: the next attempt asks for something that
// is there.
void handler_that_lowers_the_wish() {
    handler_calls++;
    std::set_new_handler(nullptr);
}

void names_are_the_drop_ins(void **) {
    static const char *const names[] = {"_Znwm",
                                        "_Znam",
                                        "_ZnwmRKSt9nothrow_t",
                                        "_ZnamRKSt9nothrow_t",
                                        "_ZnwmSt11align_val_t",
                                        "_ZnamSt11align_val_t",
                                        "_ZnwmSt11align_val_tRKSt9nothrow_t",
                                        "_ZnamSt11align_val_tRKSt9nothrow_t",
                                        "_ZdlPv",
                                        "_ZdaPv",
                                        "_ZdlPvm",
                                        "_ZdaPvm",
                                        "_ZdlPvRKSt9nothrow_t",
                                        "_ZdaPvRKSt9nothrow_t",
                                        "_ZdlPvSt11align_val_t",
                                        "_ZdaPvSt11align_val_t",
                                        "_ZdlPvmSt11align_val_t",
                                        "_ZdaPvmSt11align_val_t",
                                        "_ZdlPvSt11align_val_tRKSt9nothrow_t",
                                        "_ZdaPvSt11align_val_tRKSt9nothrow_t"};
    for (const char *name : names) {
        Dl_info info;
        assert_int_not_equal(dladdr(dlsym(RTLD_DEFAULT, name), &info), 0);
        if (std::strstr(info.dli_fname, "librxpool-malloc.so") == nullptr)
            fail_msg("%s is %s's", name, info.dli_fname);
    }
}

std::size_t held() {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

void every_pair_of_forms_balances(void **) {
    std::size_t before = held();
    for (std::size_t size : {std::size_t(0), std::size_t(1), std::size_t(100), std::size_t(5000),
                             std::size_t(70000), std::size_t(3000000)}) {
        ::operator delete(::operator new(size));
        ::operator delete(::operator new(size), size);
        ::operator delete(::operator new(size, std::nothrow), std::nothrow);
        ::operator delete[](::operator new[](size));
        ::operator delete[](::operator new[](size), size);
        ::operator delete[](::operator new[](size, std::nothrow), std::nothrow);
        for (std::size_t at = 1; at <= 65536; at *= 2) {
            std::align_val_t alignment{at};
            void *block[6] = {::operator new(size, alignment),
                              ::operator new(size, alignment),
                              ::operator new(size, alignment, std::nothrow),
                              ::operator new[](size, alignment),
                              ::operator new[](size, alignment),
                              ::operator new[](size, alignment, std::nothrow)};
            for (void *b : block) {
                assert_non_null(b);
                assert_int_equal(reinterpret_cast<std::uintptr_t>(b) % at, 0);
                std::memset(b, 1, size);
            }
            ::operator delete(block[0], alignment);
            ::operator delete(block[1], size, alignment);
            ::operator delete(block[2], alignment, std::nothrow);
            ::operator delete[](block[3], alignment);
            ::operator delete[](block[4], size, alignment);
            ::operator delete[](block[5], alignment, std::nothrow);
        }
    }
    ::operator delete(nullptr);
    ::operator delete[](nullptr, std::size_t(5));
    assert_int_equal(held(), before);
}

template <class Call> bool throws_bad_alloc(Call call) {
    try {
        call();
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

void exhaustion_throws_bad_alloc(void **) {
    std::set_new_handler(nullptr);
    std::align_val_t page{4096};
    assert_true(throws_bad_alloc([] { return ::operator new(too_much); }));
    assert_true(throws_bad_alloc([] { return ::operator new[](too_much); }));
    assert_true(throws_bad_alloc([=] { return ::operator new(too_much, page); }));
    assert_true(throws_bad_alloc([=] { return ::operator new[](too_much, page); }));
    assert_null(::operator new(too_much, std::nothrow));
    assert_null(::operator new[](too_much, std::nothrow));
    assert_null(::operator new(too_much, page, std::nothrow));
    assert_null(::operator new[](too_much, page, std::nothrow));
}

void handler_is_called_until_it_is_gone(void **) {
    std::align_val_t page{4096};
    handler_calls = 0;
    std::set_new_handler(handler_that_gives_up);
    assert_true(throws_bad_alloc([] { return ::operator new(too_much); }));
    assert_int_equal(handler_calls, 3);
    handler_calls = 0;
    std::set_new_handler(handler_that_gives_up);
    assert_true(throws_bad_alloc([=] { return ::operator new[](too_much, page); }));
    assert_int_equal(handler_calls, 3);
}

void handlers_exceptions_pass_through(void **) {
    bool caught = false;
    handler_calls = 0;
    std::set_new_handler(handler_that_throws_its_own);
    try {
        ::operator delete(::operator new(too_much));
    } catch (const other_error &) {
        caught = true;
    }
    std::set_new_handler(nullptr);
    assert_true(caught);
    assert_int_equal(handler_calls, 1);
}

void nothrow_forms_catch_what_the_handler_throws(void **) {
    std::align_val_t page{4096};
    handler_calls = 0;
    std::set_new_handler(handler_that_throws_bad_alloc);
    assert_null(::operator new(too_much, std::nothrow));
    assert_int_equal(handler_calls, 1);
    assert_null(::operator new[](too_much, std::nothrow));
    assert_int_equal(handler_calls, 2);
    assert_null(::operator new(too_much, page, std::nothrow));
    assert_int_equal(handler_calls, 3);
    assert_null(::operator new[](too_much, page, std::nothrow));
    assert_int_equal(handler_calls, 4);
    std::set_new_handler(handler_that_lowers_the_wish);
    assert_null(::operator new(too_much, std::nothrow));
    assert_int_equal(handler_calls, 5);
}

void alignment_that_is_no_power_of_two_is_refused(void **) {
    handler_calls = 0;
    std::set_new_handler(handler_that_gives_up);
    static volatile std::size_t no_powers[] = {0, 3,
                                               48}; // volatile: a compiler may believe an alignment
    for (volatile std::size_t &at : no_powers) {
        std::align_val_t alignment{at};
        assert_true(throws_bad_alloc([=] { return ::operator new(16, alignment); }));
        assert_null(::operator new(16, alignment, std::nothrow));
    }
    std::set_new_handler(nullptr);
    assert_int_equal(handler_calls, 0); // no memory would cure it
}

struct alignas(256) wide {
    char bytes[300];
};

void containers_and_over_aligned_types_work(void **) {
    std::size_t before = held();
    {
        std::vector<std::string> words;
        words.reserve(10000);
        for (int i = 0; i < 10000; i++)
            words.push_back(std::string(std::size_t(i % 300), 'x') + std::to_string(i));
        assert_string_equal(words[9999].c_str() + 99, "9999");
        std::vector<wide> wides(20);
        for (wide &w : wides)
            assert_int_equal(reinterpret_cast<std::uintptr_t>(&w) % 256, 0);
        wide *array = new wide[5];
        array[4].bytes[299] = 1;
        delete[] array;
        assert_true(throws_bad_alloc([] { return std::vector<char>(PTRDIFF_MAX - 1).size(); }));
    }
    assert_int_equal(held(), before);
}

} // namespace

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_the_drop_ins),
        cmocka_unit_test(every_pair_of_forms_balances),
        cmocka_unit_test(exhaustion_throws_bad_alloc),
        cmocka_unit_test(handler_is_called_until_it_is_gone),
        cmocka_unit_test(handlers_exceptions_pass_through),
        cmocka_unit_test(nothrow_forms_catch_what_the_handler_throws),
        cmocka_unit_test(alignment_that_is_no_power_of_two_is_refused),
        cmocka_unit_test(containers_and_over_aligned_types_work),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
